/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/secret.h"

#include <ctype.h>
#include <fcntl.h>

#define LONG_LABEL 14 /* characters: a word that names a list is shorter */

const char *rg_secret_source_name(enum rg_secret_source source)
{
	static const char *const names[] = { [RG_SECRET_FILE] = "file",
					     [RG_SECRET_CREDENTIAL] = "credential",
					     [RG_SECRET_COMMAND] = "command" };

	return source < ARRAY_SIZE(names) ? names[source] : NULL;
}

/* Only blanks may follow the end of the line. */
static bool is_last_line(const char *text)
{
	return !text[strspn(text, " \t\r\n\v\f")];
}

/*
 * The length of a hyphen or blank that a mail program or a word processor wrote in place of '-' or ' ', or of a
 * byte order mark, in UTF-8. 0: there is none.
 */
static size_t typographic_length(const char *text)
{
	static const char *const all[] = {
		"\xc2\xa0",	"\xc2\xad", /* no-break space, soft hyphen */
		"\xe2\x80\x8b", "\xe2\x80\xaf", /* spaces of no width, and narrow */
		"\xe2\x80\x90", "\xe2\x80\x91", "\xe2\x80\x92",
		"\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x88\x92", /* hyphens and dashes; minus */
		"\xef\xbb\xbf", /* byte order mark */
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (!strncmp(text, all[i], strlen(all[i])))
			return strlen(all[i]);
	return 0;
}

int rg_secret_normalise(char *code)
{
	char *out = code;

	for (const char *in = code; *in; in++) {
		size_t skip = typographic_length(in);

		if (*in == '\n' && out != code && !is_last_line(in))
			return -EINVAL;
		if (skip)
			in += skip - 1;
		if (skip || *in == '-' || isspace((unsigned char)*in))
			continue;
		/* Not isalnum(), which depends on the locale. */
		if (!isascii((unsigned char)*in) || !isalnum((unsigned char)*in) ||
		    out - code >= RG_SECRET_MAX)
			return -EINVAL;
		*out++ = (char)tolower((unsigned char)*in);
	}
	*out = '\0';
	return out - code >= RG_SECRET_MIN ? 0 : -EINVAL;
}

bool rg_secret_is_usual(const char *code)
{
	size_t len = strlen(code);

	return len == 14 || len == 31;
}

const char *rg_secret_quote(const char *text)
{
	char code[RG_SECRET_SIZE] = "";
	bool hidden;

	if (strlen(text) >= sizeof(code))
		return "(not shown)";
	strcpy(code, text);
	hidden = !rg_secret_normalise(code) &&
		 (rg_secret_is_usual(code) || strpbrk(code, "0123456789"));
	explicit_bzero(code, sizeof(code));
	return hidden ? "(not shown)" : text;
}

/* ------------------------------------------------------------------ keys in texts */

/* "dnsbl-1", "2nd-list": letters and hyphens, with a number of at most two digits at one end. */
static bool is_numbered_word(const char *label, size_t len)
{
	size_t from = 0, to = len;

	while (from < len && isdigit((unsigned char)label[from]))
		from++;
	while (to > from && isdigit((unsigned char)label[to - 1]))
		to--;
	if (from > 2 || len - to > 2 || (from && to < len))
		return false;
	for (size_t i = from; i < to; i++)
		if (isdigit((unsigned char)label[i]))
			return false;
	return true;
}

size_t rg_secret_key_length(const char *suffix)
{
	size_t len = strcspn(suffix, ".");
	const char *parent = suffix + len + (suffix[len] == '.');

	if (!strcasecmp(parent, "r.mail-abuse.com") || !strcasecmp(parent, "q.mail-abuse.com") ||
	    len >= LONG_LABEL)
		return len;
	return len >= RG_SECRET_MIN && !is_numbered_word(suffix, len) ? len : 0;
}

static bool is_of_key(char c)
{
	return isascii((unsigned char)c) && isalnum((unsigned char)c);
}

/*
 * How much of text is the key; 0: it does not begin with it. Only letters and digits count: both may have hyphens,
 * dots and other characters between them.
 */
static size_t match(const char *text, const char *key, size_t len)
{
	size_t at = 0, used = 0;

	for (;;) {
		while (at < len && !is_of_key(key[at]))
			at++;
		if (at == len)
			return used;
		while (used && text[used] && !is_of_key(text[used]))
			used++;
		if (tolower((unsigned char)text[used]) != tolower((unsigned char)key[at]))
			return 0;
		used++;
		at++;
	}
}

static bool holds(const char *text, const char *key, size_t len)
{
	for (; len && *text; text++)
		if (match(text, key, len))
			return true;
	return false;
}

bool rg_secret_holds_key(const char *text, const char *suffix)
{
	return holds(text, suffix, rg_secret_key_length(suffix));
}

bool rg_secret_holds_code(const char *text, const char *code)
{
	return holds(text, code, strlen(code));
}

static void mask(char *text, const char *key, size_t len)
{
	while (len && *text) {
		size_t used = match(text, key, len);

		memset(text, '*', used);
		text += used ? used : 1;
	}
}

void rg_secret_mask(char *text, const char *suffix)
{
	mask(text, suffix, rg_secret_key_length(suffix));
}

void rg_secret_mask_code(char *text, const char *code)
{
	mask(text, code, strlen(code));
}

/* ------------------------------------------------------------------ the activation code's file */

/* The caller frees *used, which is the path that was opened last. */
static int open_code(const char *path, char **used, enum rg_secret_source *source,
		     struct rg_error *error)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int fd = -1;

	*source = RG_SECRET_FILE;
	if (path) {
		*used = strdup(path);
		if (!*used)
			return rg_fail(error, -ENOMEM, "out of memory");
		fd = open(*used, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
		/* If only root may read it, systemd has handed it to us. */
		if (fd >= 0 || errno != EACCES || !credentials)
			goto out;
		free(*used);
		*used = NULL;
	}
	*source = RG_SECRET_CREDENTIAL;
	if (!credentials)
		return rg_fail(error, -EINVAL,
			       "ers has no activation_code_file, and there is no systemd credential");
	if (asprintf(used, "%s/activation-code", credentials) < 0) {
		*used = NULL;
		return rg_fail(error, -ENOMEM, "out of memory");
	}
	fd = open(*used, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
out:
	return fd < 0 ? rg_fail(error, -EINVAL, "activation code file %s: %m", *used) : fd;
}

int rg_secret_read(const char *path, char code[RG_SECRET_SIZE], enum rg_secret_source *source,
		   struct rg_error *error)
{
	RG_CLEANUP_FREE char *used = NULL;
	RG_CLEANUP_CLOSE int fd = open_code(path, &used, source, error);
	ssize_t len;

	if (fd < 0)
		return fd;
	len = read(fd, code, RG_SECRET_SIZE - 1);
	if (len < 0)
		return rg_fail(error, -EINVAL, "activation code file %s: %m", used);
	code[len] = '\0';
	if (len < RG_SECRET_SIZE - 1 && (size_t)len == strlen(code) && !rg_secret_normalise(code)) {
		/* Errors name the path: it is masked in this one. */
		rg_secret_mask_code(used, code);
		if (!strchr(used, '*'))
			return 0;
		explicit_bzero(code, RG_SECRET_SIZE);
		return rg_fail(error, -EINVAL,
			       "the path %s shows the activation code, and paths are shown", used);
	}
	explicit_bzero(code, RG_SECRET_SIZE);
	return rg_fail(error, -EINVAL,
		       "%s does not hold an activation code (" RG_SECRET_FORM
		       ", as in AB-CDEF-GHIJ-KLMN)",
		       used);
}
