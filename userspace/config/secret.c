/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/secret.h"

#include <ctype.h>
#include <fcntl.h>

#define CODE_LENGTH 14 /* AB-CDEF-GHIJ-KLMN without hyphens */

int rg_secret_normalise(char *code)
{
	char *out = code;

	for (const char *in = code; *in; in++) {
		if (*in == '-' || isspace((unsigned char)*in))
			continue;
		if (!isalnum((unsigned char)*in) || out - code >= CODE_LENGTH)
			return -EINVAL;
		*out++ = (char)tolower((unsigned char)*in);
	}
	*out = '\0';
	return out - code == CODE_LENGTH ? 0 : -EINVAL;
}

/* True if text begins with the key, whatever hyphens stand between. */
static bool begins_with(const char *text, const char *key, size_t len)
{
	size_t at = 0;

	for (; *text && at < len; text++) {
		if (*text == '-' && key[at] != '-')
			continue;
		if (tolower((unsigned char)*text) != tolower((unsigned char)key[at]))
			break;
		at++;
	}
	return at == len;
}

bool rg_secret_holds_key(const char *text, const char *suffix)
{
	size_t len = strcspn(suffix, ".");

	if (len < CODE_LENGTH)
		return false;
	for (; *text; text++)
		if (begins_with(text, suffix, len))
			return true;
	return false;
}

/* The caller frees *used, which is the path that was opened last. */
static int open_code(const char *path, char **used, struct rg_error *error)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int fd = -1;

	if (path) {
		*used = strdup(path);
		if (!*used)
			return rg_fail(error, -ENOMEM, "out of memory");
		fd = open(*used, O_RDONLY | O_CLOEXEC);
		/* If only root may read it, systemd has handed it to us. */
		if (fd >= 0 || errno != EACCES || !credentials)
			goto out;
		free(*used);
		*used = NULL;
	}
	if (!credentials)
		return rg_fail(error, -EINVAL,
			       "ers has no activation_code_file, and there is no systemd credential");
	if (asprintf(used, "%s/activation-code", credentials) < 0) {
		*used = NULL;
		return rg_fail(error, -ENOMEM, "out of memory");
	}
	fd = open(*used, O_RDONLY | O_CLOEXEC);
out:
	return fd < 0 ? rg_fail(error, -EINVAL, "activation code file %s: %m", *used) : fd;
}

int rg_secret_read(const char *path, char code[RG_SECRET_SIZE], struct rg_error *error)
{
	RG_CLEANUP_FREE char *used = NULL;
	RG_CLEANUP_CLOSE int fd = open_code(path, &used, error);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = read(fd, code, RG_SECRET_SIZE - 1);
	if (len < 0)
		return rg_fail(error, -EINVAL, "activation code file %s: %m", used);
	code[len] = '\0';
	if ((size_t)len == strlen(code) && !rg_secret_normalise(code))
		return 0;
	explicit_bzero(code, RG_SECRET_SIZE);
	return rg_fail(error, -EINVAL,
		       "%s does not hold an activation code (14 letters and digits, as in "
		       "AB-CDEF-GHIJ-KLMN)",
		       used);
}
