/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities that a process has left. Each case is a process of its own: they do not come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/privileges.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define BIT(capability) (1ULL << (capability))
#define NEEDED (BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON))

/* What a child tells about itself. */
struct told {
	int result, no_new_privs;
	uint64_t permitted, effective, inheritable, bounding;
};

static void tell(struct told *told)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {};

	(void)syscall(SYS_capget, &header, data);
	told->permitted = (uint64_t)data[1].permitted << 32 | data[0].permitted;
	told->effective = (uint64_t)data[1].effective << 32 | data[0].effective;
	told->inheritable = (uint64_t)data[1].inheritable << 32 | data[0].inheritable;
	for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
		if (prctl(PR_CAPBSET_READ, capability, 0, 0, 0) == 1)
			told->bounding |= BIT(capability);
	told->no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
}

/* Calls `call` in a child. Returns what is left in it. */
static struct told in_child(int (*call)(void))
{
	struct told told = {};
	int ends[2], status = 0;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (!child) {
		told.result = call();
		tell(&told);
		exit(write(ends[1], &told, sizeof(told)) != sizeof(told));
	}
	assert_int_equal(read(ends[0], &told, sizeof(told)), sizeof(told));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	close(ends[0]);
	close(ends[1]);
	return told;
}

static int drop_for_link(void)
{
	return rg_privileges_drop(&(struct rg_conf){ .xdp_attach = RG_ATTACH_LINK });
}

static int drop_for_dispatcher(void)
{
	return rg_privileges_drop(&(struct rg_conf){ .xdp_attach = RG_ATTACH_DISPATCHER });
}

static int drop_twice(void)
{
	int err = drop_for_link();

	return err ? err : drop_for_link();
}

static int prepare_nobody(void)
{
	struct rg_error error = {};
	int err = rg_privileges_prepare(&(struct rg_conf){ .pin_path = (char *)"/nonexistent/x" },
					"there-is-no-such-user", &error);

	return strcmp(error.text, "there is no user \"there-is-no-such-user\"") ? -EIO : err;
}

static const struct {
	int (*call)(void);
	uint64_t left;
} cases[] = {
	{ drop_for_link, NEEDED },
	{ drop_for_dispatcher, NEEDED | BIT(CAP_SYS_ADMIN) },
	{ drop_twice, NEEDED },
};

static void test_drop(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct told told = in_child(cases[i].call);

		assert_int_equal(told.result, 0);
		assert_int_equal(told.permitted, cases[i].left);
		assert_int_equal(told.effective, cases[i].left);
		assert_int_equal(told.inheritable, 0);
		assert_int_equal(told.bounding, cases[i].left);
		assert_int_equal(told.no_new_privs, 1);
	}
}

static void test_no_such_user(void **state)
{
	(void)state;
	assert_int_equal(in_child(prepare_nobody).result, -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_no_such_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
