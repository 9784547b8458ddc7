/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/file_poll.h"

#include "base/thread.h"
#include "lists/list_names.h"

#include "maps/types.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#define PERIOD RG_NSEC_PER_SEC
/* A look at a slow file system takes at most this part of the time. */
#define REST 50
#define MAX_PAUSE (60 * RG_NSEC_PER_SEC)
/*
 * A file's times have steps of some milliseconds: two changes within a step can't be told apart. So a look that finds
 * a change as young as this does not know whether there was another one after it.
 */
#define YOUNG (20 * RG_NSEC_PER_SEC / 1000)

/* What a look found. */
struct look {
	uint64_t sum; /* of all files: does not depend on their order */
	int64_t newest; /* the latest change, ns since 1970 */
};

struct rg_file_poll {
	const char *const *dirs;
	size_t count;
	int ready, wake; /* eventfds: for the caller, for the thread */
	struct look before; /* the latest one; the thread's */
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	atomic_bool wanted; /* a look was asked for */
};

/* FNV-1a. */
static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3ULL;
	return hash;
}

static void add_file(struct look *look, int dir, const struct dirent *entry, size_t number)
{
	uint64_t hash = mix(0xcbf29ce484222325ULL + number, entry->d_name, strlen(entry->d_name));
	struct stat st;
	int64_t changed;

	if (!rg_list_names_is_list(entry)) {
		look->sum += hash; /* only its name matters: it is not read */
	} else if (fstatat(dir, entry->d_name, &st, 0)) {
		look->sum += mix(hash, &errno, sizeof(errno));
	} else {
		const int64_t facts[] = { (int64_t)st.st_dev, (int64_t)st.st_ino, st.st_size,
					  st.st_mtim.tv_sec,  st.st_mtim.tv_nsec, st.st_ctim.tv_sec,
					  st.st_ctim.tv_nsec };

		look->sum += mix(hash, facts, sizeof(facts));
		changed = st.st_ctim.tv_sec * (int64_t)RG_NSEC_PER_SEC + st.st_ctim.tv_nsec;
		if (changed > look->newest)
			look->newest = changed;
	}
}

static void look_at(struct look *look, const char *path, size_t number)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir) {
		look->sum += mix(number, &errno, sizeof(errno));
		return;
	}
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.')
			add_file(look, dirfd(dir), entry, number);
	closedir(dir);
}

static struct look look_at_all(const struct rg_file_poll *poll)
{
	struct look look = {};

	for (size_t i = 0; i < poll->count; i++)
		look_at(&look, poll->dirs[i], i);
	return look;
}

/* Waits until the next look is due, or asked for. False: the thread ends. */
static bool wait_for_look(struct rg_file_poll *files, uint64_t pause)
{
	struct pollfd wake = { .fd = files->wake, .events = POLLIN };
	eventfd_t ignored;

	if (poll(&wake, 1, (int)(pause / (RG_NSEC_PER_SEC / 1000))) > 0)
		(void)eventfd_read(files->wake, &ignored);
	return !files->stop;
}

static void *work(void *arg)
{
	struct rg_file_poll *poll = arg;
	uint64_t pause = PERIOD;
	bool unsure = false;

	while (wait_for_look(poll, pause)) {
		bool wanted = atomic_exchange(&poll->wanted, false);
		uint64_t start = rg_now();
		int64_t wall = (int64_t)start + rg_wall_offset();
		struct look now = look_at_all(poll);

		if (wanted || unsure || now.sum != poll->before.sum)
			(void)eventfd_write(poll->ready, 1);
		unsure = now.sum != poll->before.sum && llabs(wall - now.newest) < (int64_t)YOUNG;
		poll->before = now;
		pause = (rg_now() - start) * REST;
		pause = pause < PERIOD ? PERIOD : pause > MAX_PAUSE ? MAX_PAUSE : pause;
	}
	return NULL;
}

int rg_file_poll_new(struct rg_file_poll **ret, const char *const *dirs, size_t count)
{
	struct rg_file_poll *poll = calloc(1, sizeof(*poll));
	int err = 0;

	if (!poll)
		return -ENOMEM;
	poll->dirs = dirs;
	poll->count = count;
	poll->before = look_at_all(poll);
	poll->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	poll->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (poll->ready < 0 || poll->wake < 0)
		err = -errno;
	else
		err = rg_thread_start(&poll->thread, "list-files", work, poll);
	poll->has_thread = !err;
	if (err)
		rg_file_poll_free(poll);
	else
		*ret = poll;
	return err;
}

void rg_file_poll_free(struct rg_file_poll *poll)
{
	if (!poll)
		return;
	poll->stop = true;
	if (poll->has_thread) {
		(void)eventfd_write(poll->wake, 1);
		pthread_join(poll->thread, NULL);
	}
	rg_closep(&poll->ready);
	rg_closep(&poll->wake);
	free(poll);
}

int rg_file_poll_fd(const struct rg_file_poll *poll)
{
	return poll->ready;
}

void rg_file_poll_clear(struct rg_file_poll *poll)
{
	eventfd_t ignored;

	(void)eventfd_read(poll->ready, &ignored);
}

void rg_file_poll_look(struct rg_file_poll *poll)
{
	poll->wanted = true;
	(void)eventfd_write(poll->wake, 1);
}
