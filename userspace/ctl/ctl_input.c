/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_input.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <termios.h>

static void forbid_core(void)
{
	const struct rlimit none = {};

	(void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* the leak check of ASan uses ptrace */
	(void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* A line, or all there is. Returns its length, or -errno; -EINVAL: too long. */
static ssize_t read_line(char code[RG_SECRET_SIZE])
{
	size_t len = 0;

	while (len < RG_SECRET_SIZE - 1) {
		ssize_t got = read(STDIN_FILENO, code + len, RG_SECRET_SIZE - 1 - len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got || (len += (size_t)got, memchr(code, '\n', len) && isatty(STDIN_FILENO)))
			return (ssize_t)len;
	}
	return -EINVAL;
}

/* Ctrl-C arrives as a character, which is no code: a signal would leave the terminal without echo. */
static void set_echo(const struct termios *old, bool on)
{
	struct termios fresh = *old;

	if (!on)
		fresh.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &fresh);
}

int rg_ctl_input_code(char code[RG_SECRET_SIZE])
{
	struct termios old;
	bool terminal = !tcgetattr(STDIN_FILENO, &old);
	ssize_t len;
	int err;

	forbid_core();
	if (terminal) {
		fputs("Activation code (it is not shown): ", stderr);
		set_echo(&old, false);
	}
	len = read_line(code);
	if (terminal) {
		set_echo(&old, true);
		fputc('\n', stderr);
	}
	err = len < 0 ? (int)len : -EINVAL;
	if (len >= 0) {
		code[len] = '\0';
		if (strlen(code) == (size_t)len)
			err = rg_secret_normalise(code);
	}
	if (err)
		explicit_bzero(code, RG_SECRET_SIZE);
	return err;
}
