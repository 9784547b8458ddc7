/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saved verdicts: written in pieces while they change, loaded with bad lines, zones that are gone and
 * clocks that jumped. The verdicts are an array of the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "store/verdict_file.h"

#include <arpa/inet.h>
#include <cmocka.h>
#include <inttypes.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#define SIZE 5000
#define PIECE 64 /* verdicts that are written in one step */
#define HOUR 3600
#define SECOND RG_NSEC_PER_SEC

/* ---- the verdicts ---- */

static struct entry {
	struct rg_prefix key;
	struct rg_full_verdict full;
	bool is_gone; /* rg_verdicts_next() skips it */
} entries[SIZE];

static size_t entry_count, restored_count, asked;
static int restore_error;

int rg_verdicts_next(const struct rg_verdicts *verdicts, uint32_t *number, struct rg_prefix *key,
		     struct rg_full_verdict *ret)
{
	uint32_t at = (*number)++;

	assert_null(verdicts);
	asked++;
	if (at >= entry_count)
		return -ERANGE;
	if (entries[at].is_gone)
		return -ENOENT;
	*key = entries[at].key;
	*ret = entries[at].full;
	return 0;
}

const char *rg_verdicts_zone(const struct rg_verdicts *verdicts, uint32_t slot)
{
	assert_null(verdicts);
	return slot == 3 ? "rbl" : slot == 5 ? "qil" : "";
}

bool rg_verdicts_is_busy(const struct rg_verdicts *verdicts)
{
	assert_null(verdicts);
	return false;
}

int rg_verdicts_restore(struct rg_verdicts *verdicts, const struct rg_prefix *key,
			const struct rg_full_verdict *value)
{
	assert_null(verdicts);
	if (restore_error)
		return restore_error;
	assert_true(restored_count < SIZE);
	entries[restored_count++] = (struct entry){ .key = *key, .full = *value };
	return 0;
}

/* ---- zones ---- */

static struct rg_conf conf = {
	.ipv6_prefix = 64,
	.zones = { { .alias = "rbl",
		     .slot = 3,
		     .peer_class = RG_CLASS_STANDARD,
		     .action = RG_ACTION_DROP,
		     .ttl_max = 24 * HOUR },
		   { .alias = "qil",
		     .slot = 5,
		     .peer_class = RG_CLASS_QIL,
		     .action = RG_ACTION_TEMPFAIL,
		     .ttl_max = HOUR } },
	.zone_count = 2,
};

/* ---- a directory for each test ---- */

static bool has_mounts; /* a mount namespace of the test's own */
static char dir[64], path[128], fresh[128];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/repgate-verdicts-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/verdicts", dir);
	snprintf(fresh, sizeof(fresh), "%s/verdicts.new", dir);
	memset(entries, 0, sizeof(entries));
	entry_count = restored_count = asked = 0;
	restore_error = 0;
	for (unsigned int i = 0; i < conf.zone_count; i++) {
		conf.zones[i].codes = (struct rg_dnsbl_codes){};
		if (rg_dnsbl_codes_add(&conf.zones[i].codes, "127.1.0.1-127.1.0.9", NULL))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(fresh);
	return rmdir(dir);
}

static struct rg_prefix peer(const char *text)
{
	struct rg_prefix prefix;

	assert_int_equal(rg_prefix_parse(text, strlen(text), &prefix), 0);
	return prefix;
}

static struct rg_prefix host(uint32_t number)
{
	char text[INET_ADDRSTRLEN];
	struct in_addr in = { .s_addr = htonl(0x0a000000 + number) };

	return peer(inet_ntop(AF_INET, &in, text, sizeof(text)));
}

static struct rg_full_verdict listed(uint32_t ttl)
{
	uint64_t now = rg_now();

	return (struct rg_full_verdict){ .expiry = now + ttl * SECOND,
					 .since = now - now % SECOND,
					 .hits = 7,
					 .code = 0x7f010002,
					 .zone = 3,
					 .peer_class = RG_CLASS_STANDARD,
					 .action = RG_ACTION_DROP,
					 .reason = RG_REASON_ZONE };
}

static void fill(size_t count)
{
	for (size_t i = 0; i < count; i++)
		entries[i] = (struct entry){ .key = host((uint32_t)i), .full = listed(HOUR) };
	entry_count = count;
}

/* Lines without the header; -1: no file. */
static int count_lines(const char *name)
{
	FILE *file = fopen(name, "r");
	char line[256];
	int count = 0;

	if (!file)
		return -1;
	while (fgets(line, sizeof(line), file))
		count += *line != '#';
	fclose(file);
	return count;
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static struct rg_conf *const in_force = &conf;

static void on_loaded(void *arg, const struct rg_verdict_file_count *count)
{
	*(struct rg_verdict_file_count *)arg = *count;
}

static struct rg_verdict_file_count load(void)
{
	struct rg_verdict_file_count count = { .loaded = SIZE_MAX };
	struct rg_jobs *jobs;

	assert_int_equal(rg_jobs_new(&jobs, NULL, NULL, NULL), 0);
	assert_int_equal(rg_verdict_file_load(dir, NULL, jobs, &in_force, on_loaded, &count), 1);
	assert_int_equal(restored_count, 0); /* nothing yet: others go first */
	rg_jobs_finish(jobs);
	rg_jobs_free(jobs);
	assert_int_equal(count.loaded, restored_count);
	return count;
}

/* ---- saving ---- */

struct save {
	struct event_base *base;
	struct rg_jobs *jobs;
	struct rg_verdict_file *file;
	unsigned int done;
	int err;
};

static void on_done(void *arg, int err)
{
	struct save *save = arg;

	save->done++;
	save->err = err;
}

static struct save new_save(void)
{
	struct save save = { .base = event_base_new() };

	assert_int_equal(rg_jobs_new(&save.jobs, NULL, NULL, NULL), 0);
	assert_int_equal(rg_verdict_file_new(&save.file, save.base, save.jobs, NULL, dir), 0);
	return save;
}

static void end_save(struct save *save)
{
	rg_jobs_free(save->jobs);
	rg_verdict_file_free(save->file);
	event_base_free(save->base);
}

/* One step. Returns whether there is more. */
static bool write_piece(struct save *save)
{
	struct rg_job *job = (struct rg_job *)rg_jobs_first(save->jobs, RG_LANE_SAVE);

	return job->step(job);
}

static void test_in_pieces(void **state)
{
	struct save save = new_save();
	struct stat st;

	(void)state;
	fill(2 * PIECE + 50);
	rg_verdict_file_save(save.file, false, on_done, &save);
	assert_int_equal(asked, 0); /* nothing yet: others go first */
	assert_true(write_piece(&save));
	assert_int_equal(asked, PIECE);
	assert_int_equal(count_lines(path), -1);
	rg_verdict_file_save(save.file, false, on_done, &save); /* one is under way */
	assert_true(write_piece(&save));
	assert_int_equal(asked, 2 * PIECE);
	assert_int_equal(save.done, 0);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 1);
	assert_int_equal(save.err, 0);
	assert_int_equal(count_lines(path), 2 * PIECE + 50);
	assert_int_equal(count_lines(fresh), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	end_save(&save);
}

/* Verdicts that go meanwhile are skipped; those that stay are all there, once. */
static void test_changes_meanwhile(void **state)
{
	struct save save = new_save();

	(void)state;
	fill(3 * PIECE);
	rg_verdict_file_save(save.file, false, on_done, &save);
	assert_true(write_piece(&save));
	for (size_t i = 0; i < 3 * PIECE; i += 2)
		entries[i].is_gone = true;
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 1);
	assert_int_equal(save.err, 0);
	assert_int_equal(count_lines(path), 2 * PIECE);
	end_save(&save);
}

/* The last save of an agent is written to the disk, too, and takes the place of one that is under way. */
static void test_synced(void **state)
{
	struct save save = new_save(), other = {};

	(void)state;
	fill(2 * PIECE);
	rg_verdict_file_save(save.file, false, on_done, &other);
	assert_true(write_piece(&save));
	rg_verdict_file_save(save.file, true, on_done, &save);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 0); /* a thread does it */
	event_base_loop(save.base, EVLOOP_ONCE);
	assert_int_equal(save.done, 1);
	assert_int_equal(save.err, 0);
	assert_int_equal(other.done, 0);
	assert_int_equal(count_lines(path), 2 * PIECE);

	/* The agent ends before the thread. */
	entry_count = 3;
	rg_verdict_file_save(save.file, true, on_done, &save);
	rg_jobs_finish(save.jobs);
	end_save(&save);
	assert_int_equal(save.done, 1);
	assert_int_equal(count_lines(path), 3);
}

static void test_at_once(void **state)
{
	struct save save = new_save();

	(void)state;
	fill(3 * PIECE);
	rg_verdict_file_save(save.file, false, on_done, &save);
	write_piece(&save);
	assert_int_equal(rg_verdict_file_save_now(save.file), 0);
	assert_int_equal(save.done, 0); /* that save was given up */
	assert_int_equal(count_lines(path), 3 * PIECE);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 0);
	/* The next save is as any other. */
	entry_count = 1;
	rg_verdict_file_save(save.file, false, on_done, &save);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 1);
	assert_int_equal(count_lines(path), 1);
	end_save(&save);
}

/* A save that is given up leaves the file before it, and no scraps. */
static void test_given_up(void **state)
{
	struct save save = new_save();

	(void)state;
	write_file("# before\n10.0.0.1 rbl 127.1.0.2 1 2 3\n");
	fill(2 * PIECE);
	rg_verdict_file_save(save.file, false, on_done, &save);
	write_piece(&save);
	end_save(&save);
	assert_int_equal(count_lines(path), 1);
	assert_int_equal(count_lines(fresh), -1);
	rg_verdict_file_free(NULL);
}

/* Only what a zone decided, and zones that have a name. */
static void test_what_is_saved(void **state)
{
	static const enum rg_reason reasons[] = { RG_REASON_COUNTRY, RG_REASON_DNS_FAILURE,
						  RG_REASON_NONE, RG_REASON_ZONE };
	struct save save = new_save();
	char line[256], prefix[64], zone[64], code[64];
	double since, until;
	uint64_t hits;
	FILE *file;

	(void)state;
	fill(ARRAY_SIZE(reasons) + 2);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		entries[i].full.reason = reasons[i];
	entries[ARRAY_SIZE(reasons)].full.zone = 9; /* has no name */
	entries[ARRAY_SIZE(reasons) + 1].key = peer("2001:db8:1:2::/64"); /* comes of its addresses */
	entries[3].key = peer("2001:db8:1:2::3");
	assert_int_equal(rg_verdict_file_save_now(save.file), 0);
	assert_int_equal(count_lines(path), 1);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	assert_int_equal(*line, '#');
	assert_int_equal(fscanf(file, "%63s %63s %63s %lf %lf %" SCNu64, prefix, zone, code, &since,
				&until, &hits),
			 6);
	fclose(file);
	assert_string_equal(prefix, "2001:db8:1:2::3");
	assert_string_equal(zone, "rbl");
	assert_string_equal(code, "127.1.0.2");
	assert_true(rg_wall_now() - since < 60 && rg_wall_now() - since > -2);
	assert_true(until - rg_wall_now() < HOUR + 2 && until - rg_wall_now() > HOUR - 60);
	assert_int_equal(hits, 7);
	end_save(&save);
}

static void test_can_not_be_written(void **state)
{
	struct save save = new_save();

	(void)state;
	fill(10);
	/* The new file can't be made: a directory is in its way. */
	assert_int_equal(mkdir(fresh, 0700), 0);
	rg_verdict_file_save(save.file, false, on_done, &save);
	assert_int_equal(save.done, 1);
	assert_int_equal(save.err, -EISDIR);
	assert_int_equal(rg_verdict_file_save_now(save.file), -EISDIR);
	assert_int_equal(rmdir(fresh), 0);

	/* It can't be renamed. */
	assert_int_equal(mkdir(path, 0700), 0);
	rg_verdict_file_save(save.file, false, on_done, &save);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 2);
	assert_int_equal(save.err, -EISDIR);
	assert_int_equal(count_lines(fresh), -1);
	assert_int_equal(rmdir(path), 0);

	/* A link in its place is not followed. */
	assert_int_equal(symlink("/dev/null", fresh), 0);
	assert_int_equal(rg_verdict_file_save_now(save.file), -ELOOP);
	end_save(&save);
}

/* No space on the disk: the file before stays. */
static void test_no_space(void **state)
{
	char small[96], name[128];
	struct rg_verdict_file *file = NULL;
	struct save save = { .base = event_base_new() };

	(void)state;
	snprintf(small, sizeof(small), "%s/small", dir);
	assert_int_equal(mkdir(small, 0700), 0);
	/* A file system of two pages; whoever may not mount one can't test this. */
	if (!has_mounts || mount("none", small, "tmpfs", 0, "size=8k")) {
		rmdir(small);
		event_base_free(save.base);
		skip();
	}
	fill(SIZE);
	assert_int_equal(rg_jobs_new(&save.jobs, NULL, NULL, NULL), 0);
	assert_int_equal(rg_verdict_file_new(&file, save.base, save.jobs, NULL, small), 0);
	entry_count = 1;
	assert_int_equal(rg_verdict_file_save_now(file), 0);
	entry_count = SIZE;
	assert_int_equal(rg_verdict_file_save_now(file), -ENOSPC);
	rg_verdict_file_save(file, false, on_done, &save);
	rg_jobs_finish(save.jobs);
	assert_int_equal(save.done, 1);
	assert_int_equal(save.err, -ENOSPC);
	snprintf(name, sizeof(name), "%s/verdicts", small);
	assert_int_equal(count_lines(name), 1);
	snprintf(name, sizeof(name), "%s/verdicts.new", small);
	assert_int_equal(count_lines(name), -1);
	rg_jobs_free(save.jobs);
	rg_verdict_file_free(file);
	event_base_free(save.base);
	assert_int_equal(umount(small), 0);
	assert_int_equal(rmdir(small), 0);
}

/* ---- loading ---- */

static void test_round_trip(void **state)
{
	struct save save = new_save();
	struct entry saved[4];

	(void)state;
	fill(ARRAY_SIZE(saved));
	entries[1].key = peer("2001:db8:1:2::3");
	entries[2].full.zone = 5;
	entries[2].full.peer_class = RG_CLASS_QIL;
	entries[2].full.action = RG_ACTION_TEMPFAIL;
	entries[3].full.hits = UINT64_MAX;
	entries[3].full.code = 0x7f010009;
	entries[3].full.since -= 500 * SECOND;
	memcpy(saved, entries, sizeof(saved));
	assert_int_equal(rg_verdict_file_save_now(save.file), 0);
	memset(entries, 0, sizeof(entries));
	assert_int_equal(load().loaded, ARRAY_SIZE(saved));
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++) {
		const struct rg_full_verdict *was = &saved[i].full, *is = &entries[i].full;

		assert_memory_equal(&saved[i].key, &entries[i].key, sizeof(saved[i].key));
		assert_int_equal(is->zone, was->zone);
		assert_int_equal(is->peer_class, was->peer_class);
		assert_int_equal(is->action, was->action);
		assert_int_equal(is->reason, RG_REASON_ZONE);
		assert_int_equal(is->code, was->code);
		assert_int_equal(is->hits, was->hits);
		assert_true(llabs((int64_t)(is->expiry - was->expiry)) < (int64_t)(3 * SECOND));
		assert_true(llabs((int64_t)(is->since - was->since)) < (int64_t)(3 * SECOND));
	}
	end_save(&save);
}

enum fate { LOADED, ENDED, UNKNOWN, BAD };

/* since and until: s from now. */
static const struct {
	const char *what, *prefix, *zone, *code;
	int64_t since, until;
	enum fate fate;
	int64_t left; /* s, if it is loaded */
} lines[] = {
	{ "as it was saved", "10.0.0.1", "rbl", "127.1.0.1", -100, 1000, LOADED, 1000 },
	{ "a prefix of one address", "10.0.0.1/32", "rbl", "127.1.0.1", -100, 1000, LOADED, 1000 },
	{ "IPv6", "2001:db8::1", "rbl", "127.1.0.1", -100, 1000, LOADED, 1000 },
	{ "it has ended", "10.0.0.1", "rbl", "127.1.0.1", -100, -1, ENDED, 0 },
	{ "it ends now", "10.0.0.1", "rbl", "127.1.0.1", -100, 0, ENDED, 0 },
	{ "it never lasted", "10.0.0.1", "rbl", "127.1.0.1", 100, 100, ENDED, 0 },
	{ "the clock was set back", "10.0.0.1", "rbl", "127.1.0.1", 100000, 100500, LOADED, 500 },
	{ "set back by years", "10.0.0.1", "rbl", "127.1.0.1", 100000000, 100100000, LOADED,
	  24 * HOUR },
	{ "longer than its zone allows", "10.0.0.1", "qil", "127.1.0.1", -100, 9999, LOADED, HOUR },
	{ "judged before the boot", "10.0.0.1", "rbl", "127.1.0.1", -100000000, 60, LOADED, 60 },
	{ "an unknown zone", "10.0.0.1", "gone", "127.1.0.1", -100, 1000, UNKNOWN, 0 },
	{ "a code that does not count now", "10.0.0.1", "rbl", "127.1.0.77", -100, 1000, UNKNOWN, 0 },
	{ "a network", "10.0.0.0/24", "rbl", "127.1.0.1", -100, 1000, BAD, 0 },
	{ "an IPv6 network", "2001:db8::/64", "rbl", "127.1.0.1", -100, 1000, BAD, 0 },
	{ "it ends before it begins", "10.0.0.1", "rbl", "127.1.0.1", 100, 99, BAD, 0 },
	{ "no address", "10.0.0", "rbl", "127.1.0.1", -100, 1000, BAD, 0 },
	{ "no code", "10.0.0.1", "rbl", "127.1.0", -100, 1000, BAD, 0 },
	{ "far in the future", "10.0.0.1", "rbl", "127.1.0.1", 0, 1LL << 41, BAD, 0 },
};

static void test_lines(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct rg_verdict_file_count count;
		int64_t wall = (int64_t)time(NULL), left;
		char text[256];
		const size_t *counts[] = { &count.loaded, &count.ended, &count.unknown, &count.bad };

		restored_count = 0;
		snprintf(text, sizeof(text), "# header\n%s %s %s %" PRId64 " %" PRId64 " 7\n",
			 lines[i].prefix, lines[i].zone, lines[i].code, wall + lines[i].since,
			 wall + lines[i].until);
		write_file(text);
		count = load();
		if (*counts[lines[i].fate] != 1)
			fail_msg("%s: loaded %zu, ended %zu, unknown %zu, bad %zu", lines[i].what,
				 count.loaded, count.ended, count.unknown, count.bad);
		assert_int_equal(count.loaded + count.ended + count.unknown + count.bad, 1);
		if (lines[i].fate != LOADED)
			continue;
		left = (int64_t)(entries[0].full.expiry - rg_now()) / (int64_t)SECOND;
		if (left > lines[i].left || left < lines[i].left - 5)
			fail_msg("%s: %" PRId64 " s left", lines[i].what, left);
		assert_true(entries[0].full.since > 0 && entries[0].full.since <= rg_now());
	}
	(void)state;
}

/* Bad lines are counted, the others are loaded. */
static void test_bad_lines(void **state)
{
	static const char *const bad[] = {
		"\n",
		"10.0.0.1\n",
		"10.0.0.1 rbl 127.1.0.1 1 4102444800\n",
		"10.0.0.1 rbl 127.1.0.1 1 4102444800 7 more\n",
		"10.0.0.1 rbl 127.1.0.1 x 4102444800 7\n",
		"10.0.0.1 rbl 127.1.0.1 -1 4102444800 7\n",
		"10.0.0.1 an.alias.that.is.longer.than.any.alias.can.be 127.1.0.1 1 4102444800 7\n",
		"10.0.0.1 rbl 127.000.000.000.1 1 4102444800 7\n",
		"\x01\xff\xfe\n",
	};
	char text[2048] = "# header\n10.0.0.9 rbl 127.1.0.1 1 4102444800 7\n";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		strcat(text, bad[i]);
	strcat(text, "10.0.0.8 rbl 127.1.0.1 1 4102444800 7"); /* cut off by a power failure */
	write_file(text);
	assert_int_equal(load().bad, ARRAY_SIZE(bad));
	assert_int_equal(restored_count, 2);
}

static void test_no_file(void **state)
{
	struct rg_jobs *jobs;

	(void)state;
	assert_int_equal(rg_jobs_new(&jobs, NULL, NULL, NULL), 0);
	assert_int_equal(rg_verdict_file_load(dir, NULL, jobs, &in_force, on_loaded, NULL), 0);
	/* It can't be opened. */
	assert_int_equal(symlink("verdicts", path), 0);
	assert_int_equal(rg_verdict_file_load(dir, NULL, jobs, &in_force, on_loaded, NULL), -ELOOP);
	assert_null(rg_jobs_first(jobs, RG_LANE_VERDICTS));
	rg_jobs_free(jobs);
}

static void test_not_restored(void **state)
{
	(void)state;
	write_file("10.0.0.9 rbl 127.1.0.1 1 4102444800 7\n");
	restore_error = -EADDRNOTAVAIL;
	assert_int_equal(load().bad, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_in_pieces),
		TEST(test_changes_meanwhile),
		TEST(test_synced),
		TEST(test_at_once),
		TEST(test_given_up),
		TEST(test_what_is_saved),
		TEST(test_can_not_be_written),
		TEST(test_no_space),
		TEST(test_round_trip),
		TEST(test_lines),
		TEST(test_bad_lines),
		TEST(test_no_file),
		TEST(test_not_restored),
	};

	has_mounts = !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return cmocka_run_group_tests_name("verdict_file", tests, NULL, NULL);
}
