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

static void test_files(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_error error = {};

	(void)state;
	write_list("192.0.2.1\n");
	assert_int_equal(rg_check_files(&conf, &error), 0);
	write_list("192.0.2.1\nnonsense\n");
	assert_true(rg_check_files(&conf, &error) < 0);
	assert_non_null(strstr(error.text, "a.list:2"));
	assert_true(rg_check_files(&conf, NULL) < 0);
}

/* The key in a zone's name stands in the wrong file: the error does not repeat it. */
static void test_key_is_masked(void **state)
{
	const struct rg_conf conf = make_conf();
	struct rg_error error = {};

	(void)state;
	write_list(KEY "\n");
	assert_true(rg_check_files(&conf, &error) < 0);
	assert_non_null(strstr(error.text, "a.list:1"));
	assert_null(strstr(error.text, KEY));
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
