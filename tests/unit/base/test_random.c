/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Random bytes, from a kernel that gives few at a time and is interrupted. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/random.h"
#include "base/util.h"

#include <fcntl.h>
#include <sys/wait.h>

static unsigned int calls;
static int fault; /* errno of every call; 0: none */

/* Gives 7 bytes at most, the number of the call. Every second call is interrupted. */
ssize_t getrandom(void *buffer, size_t len, unsigned int flags)
{
	assert_int_equal(flags, 0);
	if (fault || ++calls % 2) {
		errno = fault ? fault : EINTR;
		return -1;
	}
	len = len < 7 ? len : 7;
	memset(buffer, (int)calls, len);
	return (ssize_t)len;
}

static void test_fill(void **state)
{
	uint8_t bytes[20];

	(void)state;
	calls = 0;
	memset(bytes, 0, sizeof(bytes));
	rg_random_fill(bytes, 16);
	assert_int_equal(calls, 6);
	for (int i = 0; i < 16; i++)
		assert_int_equal(bytes[i], 2 * (i / 7) + 2);
	for (int i = 16; i < 20; i++)
		assert_int_equal(bytes[i], 0);
	rg_random_fill(bytes, 0);
	assert_int_equal(calls, 6);
}

static void test_number(void **state)
{
	(void)state;
	calls = 0;
	assert_int_equal(rg_random_number(), 0x02020202);
	assert_int_equal(rg_random_number(), 0x04040404);
}

/* Without random numbers the process ends: it does not go on with what is on the stack. */
static void test_none(void **state)
{
	int status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);

		(void)dup2(quiet, STDERR_FILENO);
		fault = ENOSYS;
		(void)rg_random_number();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_fill),
					    cmocka_unit_test(test_number),
					    cmocka_unit_test(test_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
