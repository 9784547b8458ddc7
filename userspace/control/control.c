/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/control.h"

#include "base/addr.h"
#include "base/log.h"
#include "control/commands.h"
#include "control/describe.h"
#include "responder/listener.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <grp.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/un.h>

#define MAX_CLIENTS 64
#define MAX_LINE 65536 /* bytes of a request */
/* Bytes of answers that a client has not read: its next requests wait. */
#define MAX_UNREAD (256 * 1024)
#define MAX_BACKLOG (4 * 1024 * 1024) /* bytes of events that a client has not read */

static const struct timeval idle_time = { .tv_sec = 60 };

struct rg_client {
	LIST_ENTRY(rg_client) entry;
	struct rg_control *control;
	struct bufferevent *stream;
	bool follows;
	struct rg_prefix follows_within;
	bool half_closed;
	void *waits_for;
	void (*cancel)(void *what);
};

struct rg_control {
	const struct rg_modules *modules;
	struct rg_control_ops ops;
	struct evconnlistener *listener;
	struct event *resume; /* after a pause of accepting */
	LIST_HEAD(, rg_client) clients;
	unsigned int client_count;
	char *path;
};

static void drop_client(struct rg_client *client)
{
	if (client->waits_for)
		client->cancel(client->waits_for);
	LIST_REMOVE(client, entry);
	client->control->client_count--;
	bufferevent_free(client->stream);
	free(client);
}

/* Bytes of answers and events that the client has not read. */
static size_t unread(const struct rg_client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->stream));
}

static void mask(const struct rg_conf *conf, json_t *value)
{
	const char *text = json_string_value(value);
	const char *name;
	json_t *member;
	size_t i;

	json_object_foreach(value, name, member)
		mask(conf, member);
	json_array_foreach(value, i, member)
		mask(conf, member);
	if (text && rg_conf_has_key(conf, text)) {
		RG_CLEANUP_FREE char *copy = strdup(text);

		if (copy)
			rg_conf_mask(conf, copy);
		(void)json_string_set(value, copy ? copy : "");
	}
}

static void send_line(struct rg_client *client, json_t *line)
{
	struct evbuffer *out = bufferevent_get_output(client->stream);
	char *text = NULL;

	if (line) {
		mask(client->control->modules->conf, line);
		text = json_dumps(line, JSON_COMPACT);
	}
	json_decref(line);
	/* Without memory, or with text that is not UTF-8: each request still gets an answer. */
	if (!text)
		text = strdup("{\"ok\":false,\"error\":\"the answer is not valid JSON\"}");
	if (!text)
		return;
	evbuffer_add(out, text, strlen(text));
	evbuffer_add(out, "\n", 1);
	free(text);
}

void rg_control_answer(struct rg_client *client, json_t *result)
{
	send_line(client, json_pack("{s:b, s:o}", "ok", 1, "result", result));
}

void rg_control_refuse(struct rg_client *client, const char *format, ...)
{
	char text[640];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send_line(client, json_pack("{s:b, s:s}", "ok", 0, "error", text));
}

void rg_control_set_follower(struct rg_client *client, const struct rg_prefix *within)
{
	client->follows = true;
	client->follows_within = *within;
	bufferevent_set_timeouts(client->stream, NULL, &idle_time);
}

const struct rg_modules *rg_control_modules(const struct rg_client *client)
{
	return client->control->modules;
}

const struct rg_control_ops *rg_control_ops(const struct rg_client *client)
{
	return &client->control->ops;
}

void rg_control_wait(struct rg_client *client, void *what, void (*cancel)(void *what))
{
	client->waits_for = what;
	client->cancel = cancel;
	/* The client's next requests wait in the input buffer. */
	if (what) {
		bufferevent_disable(client->stream, EV_READ);
	} else {
		bufferevent_enable(client->stream, EV_READ);
		bufferevent_trigger(client->stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
	}
}

void rg_control_follow(struct rg_control *control, const struct rg_recent_event *event)
{
	struct rg_client *client, *next;

	for (client = LIST_FIRST(&control->clients); client; client = next) {
		next = LIST_NEXT(client, entry);
		if (!client->follows || !rg_prefix_covers(&client->follows_within, &event->addr))
			continue;
		if (unread(client) > MAX_BACKLOG) {
			control->modules->clients->control_unread++;
			drop_client(client);
		} else {
			send_line(client, json_pack("{s:o}", "event", rg_describe_event(event)));
		}
	}
}

static void run_line(struct rg_client *client, const char *line, size_t len)
{
	struct rg_loop_times *times = client->control->modules->loop;
	const uint64_t start = rg_now();
	json_error_t error;
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	char *near = strstr(error.text, " near ");

	/* What follows is from the request, which may hold an activation code. */
	if (!request && near)
		*near = '\0';
	if (!json_is_object(request))
		rg_control_refuse(client, "not a JSON object: %s",
				  request ? "other type" : error.text);
	else
		rg_commands_run(client, request);
	json_decref(request);
	rg_loop_times_add(times, RG_LOOP_COMMANDS, start);
}

/* Whether a whole request has come that was not run yet. */
static bool has_request(const struct rg_client *client)
{
	return evbuffer_search(bufferevent_get_input(client->stream), "\n", 1, NULL).pos >= 0;
}

/*
 * Runs the first of the requests that have come, if the client reads the answers. The next one has its turn after
 * other events: whoever sends many at once does not make new peers wait. Memory is bounded: MAX_LINE of requests,
 * MAX_UNREAD and one answer. False: the client is gone.
 */
static bool run_request(struct rg_client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->stream);
	size_t len;
	char *line = NULL;

	if (!client->waits_for && unread(client) <= MAX_UNREAD)
		line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
	if (line) {
		run_line(client, line, len);
		explicit_bzero(line, len);
		free(line);
	}
	if (client->waits_for)
		return true;
	if (unread(client) > MAX_UNREAD) {
		bufferevent_disable(client->stream, EV_READ); /* until on_drained() */
		return true;
	}
	if (has_request(client)) {
		bufferevent_trigger(client->stream, EV_READ, BEV_TRIG_DEFER_CALLBACKS);
		return true;
	}
	/* The rest is part of a request. */
	if (evbuffer_get_length(in) < MAX_LINE)
		return true;
	drop_client(client);
	return false;
}

static void on_read(struct bufferevent *stream, void *arg)
{
	(void)stream;
	(void)run_request(arg);
}

/* All answers are sent. Requests may wait; a client that sends no more requests is done. */
static void on_drained(struct bufferevent *stream, void *arg)
{
	struct rg_client *client = arg;

	if (!client->waits_for && !(bufferevent_get_enabled(stream) & EV_READ)) {
		if (!client->half_closed)
			bufferevent_enable(stream, EV_READ);
		if (!run_request(client))
			return;
	}
	if (client->half_closed && !client->waits_for && !unread(client) && !has_request(client))
		drop_client(client);
}

static void on_end(struct bufferevent *stream, short what, void *arg)
{
	struct rg_client *client = arg;

	/* A client such as `echo ... | socat - UNIX:...` closes its side and waits for the answer. */
	client->half_closed = what & BEV_EVENT_EOF;
	if (client->half_closed && !client->follows &&
	    (client->waits_for || unread(client) || has_request(client)))
		return;
	if ((what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_WRITING))
		client->control->modules->clients->control_unread++;
	(void)stream;
	drop_client(client);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *from, int len, void *arg)
{
	struct rg_control *control = arg;
	struct rg_client *client;

	(void)listener;
	(void)from;
	(void)len;
	client = control->client_count < MAX_CLIENTS ? calloc(1, sizeof(*client)) : NULL;
	if (client)
		client->stream =
			bufferevent_socket_new(control->modules->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!client || !client->stream) {
		control->modules->clients->control_limit++;
		free(client);
		close(fd);
		return;
	}
	client->control = control;
	LIST_INSERT_HEAD(&control->clients, client, entry);
	control->client_count++;
	(void)bufferevent_priority_set(client->stream, RG_PRIORITY_LOW);
	bufferevent_setcb(client->stream, on_read, on_drained, on_end, client);
	bufferevent_set_timeouts(client->stream, &idle_time, &idle_time);
	/* What a client sends beyond that stays in the socket, so the client waits. */
	bufferevent_setwatermark(client->stream, EV_READ, 0, MAX_LINE);
	bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

/* Without a descriptor or memory the socket stays readable: wait, or the loop would spin. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	static const struct timeval pause = { .tv_sec = 1 };
	struct rg_control *control = arg;

	control->modules->clients->control_limit++;
	if (!evtimer_add(control->resume, &pause))
		evconnlistener_disable(listener);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	const struct rg_control *control = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(control->listener);
}

/* Root and the group control_group may connect. */
static void set_access(const struct rg_conf *conf)
{
	const struct group *group = getgrnam(conf->control_group);

	/* The process' own group needs no chown, which the service's sandbox forbids. */
	if (chmod(conf->control_socket, 0660) ||
	    (group && group->gr_gid != getegid() &&
	     chown(conf->control_socket, (uid_t)-1, group->gr_gid)))
		rg_log_warning("control socket %s: %m", conf->control_socket);
	if (!group)
		rg_log_info("no group \"%s\": only this user and root may use repgatectl",
			    conf->control_group);
}

/* Removes the socket of an agent that died. Fails if an agent answers there. */
static int remove_stale(const struct sockaddr_un *address, struct rg_error *error)
{
	RG_CLEANUP_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return rg_fail(error, -errno, "control socket: %m");
	if (!connect(fd, (const struct sockaddr *)address, sizeof(*address)) || errno == EAGAIN)
		return rg_fail(error, -EADDRINUSE,
			       "control socket %s: another repgated answers there",
			       address->sun_path);
	/* EACCES: an agent that ran as another user left it. */
	if (errno == ECONNREFUSED || errno == EACCES)
		(void)unlink(address->sun_path);
	return 0;
}

static int make_parent(const char *path)
{
	RG_CLEANUP_FREE char *copy = strdup(path);
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!slash || slash == copy)
		return 0;
	*slash = '\0';
	return mkdir(copy, 0755) && errno != EEXIST ? -errno : 0;
}

static int listen_on(struct rg_control *control, struct rg_error *error)
{
	const struct rg_conf *conf = control->modules->conf;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	mode_t mask;
	int err;

	if (strlen(conf->control_socket) >= sizeof(address.sun_path))
		return rg_fail(error, -ENAMETOOLONG, "control_socket %s: longer than %zu bytes",
			       conf->control_socket, sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, conf->control_socket);
	(void)make_parent(conf->control_socket); /* bind() reports an error */
	err = remove_stale(&address, error);
	if (err)
		return err;
	mask = umask(0177);
	control->listener = evconnlistener_new_bind(control->modules->base, on_connection, control,
						    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC,
						    16, (const struct sockaddr *)&address,
						    sizeof(address));
	err = -errno;
	umask(mask);
	if (!control->listener)
		return rg_fail(error, err, "control socket %s: %s", conf->control_socket,
			       strerror(-err));
	control->resume = evtimer_new(control->modules->base, on_resume, control);
	if (!control->resume)
		return rg_fail(error, -ENOMEM, "out of memory");
	evconnlistener_set_error_cb(control->listener, on_accept_error);
	set_access(conf);
	return 0;
}

int rg_control_new(struct rg_control **ret, const struct rg_modules *modules,
		   const struct rg_control_ops *ops, struct rg_error *error)
{
	struct rg_control *control = calloc(1, sizeof(*control));
	int err;

	if (!control)
		return rg_fail(error, -ENOMEM, "out of memory");
	LIST_INIT(&control->clients);
	control->modules = modules;
	control->ops = *ops;
	err = listen_on(control, error);
	if (!err)
		control->path = strdup(modules->conf->control_socket);
	if (err)
		rg_control_free(control);
	else
		*ret = control;
	return err;
}

void rg_control_free(struct rg_control *control)
{
	struct rg_client *client;

	if (!control)
		return;
	while ((client = LIST_FIRST(&control->clients)))
		drop_client(client);
	if (control->listener)
		evconnlistener_free(control->listener);
	if (control->resume)
		event_free(control->resume);
	if (control->path)
		(void)unlink(control->path);
	free(control->path);
	free(control);
}
