/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a message says is missing, for each thing that may be. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/obstacle.h"

#include <linux/capability.h>
#include <sys/resource.h>

#define BIT(capability) (1ULL << (capability))
#define ALL (BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_NET_ADMIN))
#define FACTS .linux_major = 6, .linux_minor = 1, .max_files = 1024, .max_locked = 65536

static const struct row {
	struct rg_obstacle_facts facts;
	int err;
	const char *words[3]; /* all in the text; none: the text is empty */
	const char * not ; /* not in it */
} rows[] = {
	{ { FACTS }, -EPERM, { "; CAP_BPF and CAP_PERFMON and CAP_NET_ADMIN are missing", "root" }, NULL },
	{ { FACTS, .capabilities = ALL & ~BIT(CAP_PERFMON) },
	  -EPERM,
	  { "; CAP_PERFMON is missing", "AmbientCapabilities=" },
	  "CAP_BPF is" },
	{ { FACTS, .capabilities = ALL & ~BIT(CAP_PERFMON) },
	  -EACCES,
	  { "; CAP_PERFMON is missing" },
	  NULL },
	{ { FACTS, .capabilities = ALL & ~BIT(CAP_NET_ADMIN) },
	  -EPERM,
	  { "; CAP_NET_ADMIN is missing" },
	  NULL },
	{ { FACTS, .capabilities = ALL & ~BIT(CAP_BPF) }, -EPERM, { "; CAP_BPF is missing" }, NULL },
	/* CAP_SYS_ADMIN stands for two of them. */
	{ { FACTS, .capabilities = BIT(CAP_SYS_ADMIN) },
	  -EPERM,
	  { "; CAP_NET_ADMIN is missing" },
	  "CAP_PERFMON is" },
	{ { FACTS, .capabilities = ALL, .has_own_users = true }, -EPERM, { "container" }, "missing" },
	{ { FACTS, .capabilities = ALL, .is_locked_down = true }, -EPERM, { "lockdown" }, "missing" },
	{ { FACTS, .capabilities = ALL }, -EPERM, { "seccomp" }, "RLIMIT_MEMLOCK" },
	/* The verifier refuses a program. */
	{ { FACTS, .capabilities = ALL }, -EACCES, { NULL }, NULL },
	{ { .linux_major = 5, .linux_minor = 10, .max_locked = 65536, .capabilities = ALL },
	  -EPERM,
	  { "RLIMIT_MEMLOCK allows 65536 bytes", "LimitMEMLOCK=infinity" },
	  "missing" },
	{ { .linux_major = 5, .linux_minor = 10, .max_locked = UINT64_MAX, .capabilities = ALL },
	  -EPERM,
	  { "seccomp" },
	  "RLIMIT_MEMLOCK" },
	{ { FACTS, .capabilities = ALL },
	  -EMFILE,
	  { "RLIMIT_NOFILE allows 1024 open files", "LimitNOFILE=" },
	  NULL },
	{ { FACTS, .capabilities = ALL }, -ENFILE, { "fs.file-max" }, NULL },
	{ { FACTS, .capabilities = ALL }, -ENOMEM, { "max_verdicts", "MemoryMax=" }, NULL },
	{ { FACTS, .capabilities = ALL }, -ENOSYS, { "CONFIG_BPF_SYSCALL" }, NULL },
	{ { .linux_major = 4, .linux_minor = 19 }, -EINVAL, { "Linux 4.19", "needs 5.15" }, NULL },
	{ { FACTS }, -EINVAL, { NULL }, NULL },
	{ { FACTS }, -ENOENT, { NULL }, NULL },
	{ { FACTS }, 0, { NULL }, NULL },
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		char text[RG_OBSTACLE_TEXT];

		assert_ptr_equal(rg_obstacle_explain(&row->facts, row->err, text), text);
		if (!row->words[0] != !*text)
			fail_msg("row %zu: \"%s\"", i, text);
		for (size_t k = 0; k < ARRAY_SIZE(row->words) && row->words[k]; k++)
			if (!strstr(text, row->words[k]))
				fail_msg("row %zu: \"%s\" lacks \"%s\"", i, text, row->words[k]);
		if (row->not &&strstr(text, row->not ))
			fail_msg("row %zu: \"%s\" has \"%s\"", i, text, row->not );
		assert_true(strlen(text) < RG_OBSTACLE_TEXT - 1); /* nothing was cut off */
	}
}

/* The facts of this very process. */
static void test_facts(void **state)
{
	struct rlimit before, files;
	struct rg_obstacle_facts facts;
	char text[RG_OBSTACLE_TEXT];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	files = (struct rlimit){ .rlim_cur = 77, .rlim_max = before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
	rg_obstacle_facts_read(&facts);
	assert_int_equal(facts.max_files, 77);
	assert_true(facts.linux_major >= 4);
	assert_non_null(strstr(rg_obstacle_advice(-EMFILE, text), "allows 77 open files"));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (!geteuid())
		assert_true(facts.capabilities & BIT(CAP_NET_ADMIN));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
					    cmocka_unit_test(test_facts) };

	return cmocka_run_group_tests_name("obstacle", tests, NULL, NULL);
}
