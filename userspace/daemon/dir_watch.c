/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dir_watch.h"

#include "daemon/file_poll.h"

#include <sys/inotify.h>

#define MAX_DIRS 4

/* Editors and package managers write several files, or one file in several steps. */
static const struct timeval quiet_time = { .tv_usec = 200000 };

struct rg_dir_watch {
	int fd;
	struct event *event, *quiet;
	struct rg_file_poll *poll; /* NULL: there is no thread for it */
	struct event *polled;
	const char *dirs[MAX_DIRS]; /* the caller's */
	int watched[MAX_DIRS]; /* inotify's numbers; 0: not watched yet, -1: does not exist */
	size_t count;
	void (*changed)(void *arg);
	void *arg;
};

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dir_watch *watch = arg;
	char buffer[4096];

	(void)what;
	while (read(fd, buffer, sizeof(buffer)) > 0)
		;
	evtimer_add(watch->quiet, &quiet_time);
}

static void on_quiet(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dir_watch *watch = arg;

	(void)fd;
	(void)what;
	rg_dir_watch_refresh(watch);
	/* First a look, then the callback: what changes while the caller reads differs from that look. */
	if (watch->poll)
		rg_file_poll_look(watch->poll);
	else
		watch->changed(watch->arg);
}

static void on_polled(evutil_socket_t fd, short what, void *arg)
{
	struct rg_dir_watch *watch = arg;

	(void)fd;
	(void)what;
	rg_file_poll_clear(watch->poll);
	rg_dir_watch_refresh(watch);
	event_del(watch->quiet); /* the callback is for that, too */
	watch->changed(watch->arg);
}

/* Without it, what inotify tells is noticed. */
static void start_poll(struct rg_dir_watch *watch, struct event_base *base)
{
	if (rg_file_poll_new(&watch->poll, watch->dirs, watch->count))
		return;
	watch->polled = event_new(base, rg_file_poll_fd(watch->poll), EV_READ | EV_PERSIST,
				  on_polled, watch);
	if (watch->polled && !event_add(watch->polled, NULL))
		return;
	rg_file_poll_free(watch->poll);
	watch->poll = NULL;
}

void rg_dir_watch_refresh(struct rg_dir_watch *watch)
{
	if (!watch)
		return;
	for (size_t i = 0; i < watch->count; i++) {
		int now = inotify_add_watch(watch->fd, watch->dirs[i],
					    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM |
						    IN_MOVED_TO | IN_ATTRIB | IN_MOVE_SELF |
						    IN_DELETE_SELF | IN_ONLYDIR);

		/* It is another directory than before, so its files are new. */
		if (watch->watched[i] && now != watch->watched[i])
			evtimer_add(watch->quiet, &quiet_time);
		watch->watched[i] = now;
	}
}

int rg_dir_watch_new(struct rg_dir_watch **ret, struct event_base *base, const char *const *dirs,
		     size_t count, void (*changed)(void *arg), void *arg)
{
	struct rg_dir_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return -ENOMEM;
	watch->changed = changed;
	watch->arg = arg;
	for (; watch->count < count && watch->count < MAX_DIRS; watch->count++)
		watch->dirs[watch->count] = dirs[watch->count];
	watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->fd >= 0)
		watch->event = event_new(base, watch->fd, EV_READ | EV_PERSIST, on_readable, watch);
	watch->quiet = evtimer_new(base, on_quiet, watch);
	if (!watch->event || !watch->quiet || event_add(watch->event, NULL)) {
		int err = watch->fd < 0 ? -errno : -ENOMEM;

		rg_dir_watch_free(watch);
		return err;
	}
	rg_dir_watch_refresh(watch);
	start_poll(watch, base);
	*ret = watch;
	return 0;
}

void rg_dir_watch_free(struct rg_dir_watch *watch)
{
	if (!watch)
		return;
	if (watch->event)
		event_free(watch->event);
	if (watch->quiet)
		event_free(watch->quiet);
	if (watch->polled)
		event_free(watch->polled);
	rg_file_poll_free(watch->poll);
	rg_closep(&watch->fd);
	free(watch);
}
