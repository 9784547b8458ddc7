/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `repgated --check` finds in list files, and in this network namespace, which is the test's own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/util.h"
#include "daemon/check.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define KEY "k3yofanother0ne"

static char root[] = "/dev/shm/repgate-check-XXXXXX";
static char approved[64], blocked[64];

static struct rg_conf make_conf(void)
{
	return (struct rg_conf){ .ports = { 25 },
				 .port_count = 1,
				 .max_list = 100,
				 .zone_count = 1,
				 .zones = { { .alias = "z",
					      .suffix = (char *)KEY ".bl.example",
					      .peer_class = RG_CLASS_STANDARD,
					      .action = RG_ACTION_DROP } },
				 .blocked_action = RG_ACTION_DROP,
				 .on_dns_failure = RG_ACTION_PASS,
				 .approved_dir = approved,
				 .blocked_dir = blocked,
				 .state_dir = root };
}

static void write_list(const char *text)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/a.list", blocked);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* What rg_check_files() prints, until the next call. *good: what it returns. */
static const char *check(const struct rg_conf *conf, bool *good)
{
	static char text[65536];
	FILE *to = fmemopen(text, sizeof(text), "w");

	assert_non_null(to);
	*good = rg_check_files(conf, to);
	assert_int_equal(fclose(to), 0);
	return text;
}

/* All bad lines, also more than the log quotes. */
static void test_files(void **state)
{
	const struct rg_conf conf = make_conf();
	char list[1024] = "192.0.2.1\n";
	const char *said;
	bool good;

	(void)state;
	write_list(list);
	assert_string_equal(check(&conf, &good), "");
	assert_true(good);
	for (int i = 0; i < 50; i++)
		strcat(list, "nonsense\n");
	write_list(list);
	said = check(&conf, &good);
	assert_false(good);
	assert_non_null(strstr(said, "a.list:2: \"nonsense\" is not"));
	assert_non_null(strstr(said, "a.list:51: \"nonsense\" is not"));
	assert_non_null(strstr(said, "a.list: 50 of 51 lines are bad"));
}

/* The key in a zone's name stands in the wrong file: the error does not repeat it. */
static void test_key_is_masked(void **state)
{
	const struct rg_conf conf = make_conf();
	const char *said;
	bool good;

	(void)state;
	write_list(KEY "\n");
	said = check(&conf, &good);
	assert_false(good);
	assert_non_null(strstr(said, "a.list:1"));
	assert_null(strstr(said, KEY));
}

static int listen_on(uint16_t port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

/* Only an answer by SMTP needs the mail server to be here. */
static void test_advice(void **state)
{
	struct rg_conf conf = make_conf();
	int fd;

	(void)state;
	assert_null(rg_check_advice(&conf));
	conf.zones[0].action = RG_ACTION_TEMPFAIL;
	assert_non_null(rg_check_advice(&conf));
	assert_non_null(strstr(rg_check_advice(&conf), "use tag, reset or drop"));
	fd = listen_on(25);
	assert_null(rg_check_advice(&conf));
	conf.blocked_action = RG_ACTION_REJECT;
	assert_null(rg_check_advice(&conf));
	close(fd);
	conf.zones[0].action = RG_ACTION_DROP;
	assert_non_null(rg_check_advice(&conf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_key_is_masked),
		cmocka_unit_test(test_advice),
	};
	char command[96];
	int failed;

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespace\n");
		return 77;
	}
	if (!mkdtemp(root))
		return 1;
	snprintf(approved, sizeof(approved), "%s/approved.d", root);
	snprintf(blocked, sizeof(blocked), "%s/blocked.d", root);
	if (mkdir(approved, 0700) || mkdir(blocked, 0700))
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", root);
	return system(command) ? 1 : failed;
}
