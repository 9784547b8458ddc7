/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The capabilities that a process has left. Each case is a process of its own: they do not come back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/privileges.h"

#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
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
		status = write(ends[1], &told, sizeof(told)) != sizeof(told);
		if (geteuid())
			_exit(status); /* another user's process can't be searched for leaks */
		exit(status);
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

/* ---- --prepare, for a user that every Debian has ---- */

#define USER "daemon"

static char root[] = "/dev/shm/repgate-privileges-XXXXXX";

/* A configuration with this mode, and a BPF file system of the child's own. 0 or a negative error. */
static int prepare_files(struct rg_conf *conf, mode_t mode)
{
	static char path[96], pins[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/conf", root);
	snprintf(pins, sizeof(pins), "%s/bpf/repgate", root);
	file = fopen(path, "we");
	if (!file)
		return -errno;
	fprintf(file, "interfaces = [ \"lo\" ]; state_dir = \"%s\";\n", root);
	fprintf(file, "approved_dir = \"%s/a\"; blocked_dir = \"%s/b\";\n", root, root);
	fprintf(file, "zones = { z = { suffix = \"z.example\"; kind = \"standard\"; }; };\n");
	fclose(file);
	*conf = (struct rg_conf){ .path = path, .pin_path = pins };
	snprintf(pins, sizeof(pins), "%s/bpf", root);
	if (chmod(path, mode) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("bpf", pins, "bpf", 0, NULL))
		return -errno;
	strcat(pins, "/repgate");
	return 0;
}

/* 0 if all is as it should be, else the number of what is not. */
static int prepare_readable(void)
{
	const struct passwd *user = getpwnam(USER);
	struct rg_error error = {};
	struct rg_conf conf;
	struct stat st;

	if (!user || prepare_files(&conf, 0644))
		return 1;
	if (rg_privileges_prepare(&conf, USER, &error)) {
		fprintf(stderr, "%s\n", error.text);
		return 2;
	}
	if (geteuid() != user->pw_uid || getegid() != user->pw_gid)
		return 3;
	if (stat(conf.pin_path, &st) || st.st_uid != user->pw_uid || st.st_gid != user->pw_gid)
		return 4;
	return 0;
}

/* What root alone can read would stop the agent later: it is an error now. */
static int prepare_unreadable(void)
{
	struct rg_error error = {};
	struct rg_conf conf;

	if (prepare_files(&conf, 0600))
		return 1;
	if (rg_privileges_prepare(&conf, USER, &error) >= 0)
		return 2;
	return strstr(error.text, conf.path) ? 0 : 3;
}

static void test_prepare(void **state)
{
	char path[96];

	(void)state;
	if (geteuid())
		skip();
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	snprintf(path, sizeof(path), "%s/bpf", root);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(in_child(prepare_readable).result, 0);
	assert_int_equal(in_child(prepare_unreadable).result, 0);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/conf", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(root), 0);
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
		cmocka_unit_test(test_prepare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
