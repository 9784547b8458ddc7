/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/ctl_answer.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Replaces ASCII's control characters and those of ISO 6429 in UTF-8 (U+0080 to U+009F). */
static bool clean_text(char *text, size_t len)
{
	bool changed = false;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		bool c1 = c == 0xc2 && i + 1 < len && (unsigned char)text[i + 1] < 0xa0;

		if (c >= ' ' && c != 0x7f && !c1)
			continue;
		text[i] = '?';
		if (c1)
			text[++i] = '?';
		changed = true;
	}
	return changed;
}

static void clean_string(json_t *string)
{
	size_t len = json_string_length(string);
	RG_CLEANUP_FREE char *text = malloc(len + 1);

	if (!text)
		abort(); /* never print what was not looked at */
	memcpy(text, json_string_value(string), len + 1);
	if (clean_text(text, len))
		(void)json_string_setn(string, text, len);
}

static void clean(json_t *value);

static void clean_object(json_t *object)
{
	const char *name;
	json_t *member;
	void *next;

	json_object_foreach_safe(object, next, name, member)
	{
		RG_CLEANUP_FREE char *copy = strdup(name);

		if (!copy)
			abort();
		if (clean_text(copy, strlen(copy)))
			json_object_del(object, name); /* the agent has no such names */
		else
			clean(member);
	}
}

/* The depth is bounded by jansson (2048). */
static void clean(json_t *value)
{
	size_t i;
	json_t *element;

	if (json_is_string(value)) {
		clean_string(value);
	} else if (json_is_object(value)) {
		clean_object(value);
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, element)
			clean(element);
	}
}

/* ------------------------------------------------------------ the connection */

/* Who may use the socket, as a text to end an error with. */
static void name_users(const char *path, char *text, size_t size)
{
	const struct group *group;
	struct stat st;

	group = stat(path, &st) ? NULL : getgrgid(st.st_gid);
	if (group && group->gr_gid)
		snprintf(text, size, "only root and members of the group %s may use it",
			 group->gr_name);
	else
		snprintf(text, size, "only root and members of control_group may use it");
}

int rg_ctl_answer_connect(const char *path, struct rg_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char users[128];
	int fd, err;

	if (strlen(path) >= sizeof(address.sun_path))
		return rg_fail(error, -ENAMETOOLONG, "socket path too long: %s", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return rg_fail(error, -errno, "socket: %m");
	if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return fd;
	err = -errno;
	close(fd);
	if (err == -EACCES || err == -EPERM) {
		name_users(path, users, sizeof(users));
		return rg_fail(error, err, "%s: %s: %s", path, strerror(-err), users);
	}
	return rg_fail(error, err, "%s: %s%s", path, strerror(-err),
		       err == -ENOENT || err == -ECONNREFUSED ? ": repgated does not run" : "");
}

int rg_ctl_answer_send(int fd, const json_t *request)
{
	RG_CLEANUP_FREE char *text = json_dumps(request, JSON_COMPACT);
	size_t len = text ? strlen(text) : 0, sent = 0;
	int err = 0;

	if (!text)
		return -ENOMEM;
	text[len++] = '\n'; /* in the place of the NUL */
	while (sent < len && !err) {
		ssize_t count = send(fd, text + sent, len - sent, MSG_NOSIGNAL);

		if (count >= 0)
			sent += (size_t)count;
		else if (errno != EINTR)
			err = -errno;
	}
	explicit_bzero(text, len); /* it may hold an activation code */
	return err;
}

/* Waits until there is something to read. False: standard output has lost its reader. */
static bool wait_for_data(struct rg_ctl_reader *reader)
{
	struct pollfd fds[] = { { .fd = reader->fd, .events = POLLIN },
				{ .fd = reader->watch_output ? STDOUT_FILENO : -1 } };

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return true; /* read() reports it */
	reader->output_gone = fds[1].revents & (POLLERR | POLLNVAL);
	return !reader->output_gone;
}

/* Makes room for more data. */
static int make_room(struct rg_ctl_reader *reader)
{
	size_t used = reader->end - reader->begin, size = reader->size ? 2 * reader->size : 65536;
	char *data;

	if (reader->begin)
		memmove(reader->data, reader->data + reader->begin, used);
	reader->begin = 0;
	reader->end = used;
	if (used < reader->size)
		return 0;
	if (reader->size >= RG_CTL_MAX_ANSWER)
		return -EMSGSIZE;
	data = realloc(reader->data, size);
	if (!data)
		return -ENOMEM;
	reader->data = data;
	reader->size = size;
	return 0;
}

/* Reads more. 0: it did; negative: the end. */
static int fill(struct rg_ctl_reader *reader)
{
	ssize_t count;

	if ((reader->end == reader->size && make_room(reader)) || !wait_for_data(reader))
		return -EIO;
	do
		count = read(reader->fd, reader->data + reader->end, reader->size - reader->end);
	while (count < 0 && errno == EINTR);
	if (count <= 0)
		return -EIO;
	reader->end += (size_t)count;
	return 0;
}

json_t *rg_ctl_answer_read(struct rg_ctl_reader *reader)
{
	size_t seen = 0, len;
	char *newline = NULL;
	json_t *answer;

	for (;;) {
		size_t used = reader->end - reader->begin;

		if (used > seen)
			newline = memchr(reader->data + reader->begin + seen, '\n', used - seen);
		if (newline)
			break;
		seen = used;
		if (fill(reader))
			return NULL;
	}
	len = (size_t)(newline - reader->data) - reader->begin;
	answer = len ? json_loadb(reader->data + reader->begin, len, 0, NULL) : NULL;
	reader->begin += len + 1;
	clean(answer);
	return answer;
}

void rg_ctl_answer_close(struct rg_ctl_reader *reader)
{
	free(reader->data);
	if (reader->fd >= 0)
		close(reader->fd);
	*reader = (struct rg_ctl_reader){ .fd = -1 };
}
