/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/release.h"

#include "base/log.h"
#include "base/thread.h"

#include <semaphore.h>
#include <stdatomic.h>

#define SLOTS 1024 /* a power of two: the numbers of frames run over */

/* The loop writes put, the thread taken; between them are the frames that wait. */
struct rg_release {
	struct rg_loader *loader;
	pthread_t thread;
	enum { THREAD_NOT_YET, THREAD_RUNS, THREAD_NEVER } state; /* the loop's */
	sem_t work; /* one for each frame that was put, and one for the end */
	atomic_uint put, taken;
	atomic_uint_fast64_t released, failed;
	atomic_bool has_complained;
	struct rg_release_frame slots[SLOTS];
};

int rg_release_new(struct rg_release **ret, struct rg_loader *loader)
{
	struct rg_release *releaser = calloc(1, sizeof(*releaser));

	if (!releaser)
		return -ENOMEM;
	releaser->loader = loader;
	sem_init(&releaser->work, 0, 0); /* can't fail with 0 */
	*ret = releaser;
	return 0;
}

/* In the thread, or in the loop. */
static void count(struct rg_release *releaser, int err)
{
	if (!err) {
		releaser->released++;
		return;
	}
	releaser->failed++;
	if (!atomic_exchange(&releaser->has_complained, true))
		rg_log_warning("a held SYN could not be released (%s): peers wait for their "
			       "retransmission instead; said once, counted as release_failed",
			       strerror(-err));
}

static void *work(void *arg)
{
	struct rg_release *releaser = arg;

	for (;;) {
		unsigned int taken = releaser->taken;

		while (sem_wait(&releaser->work))
			; /* a debugger's doing: signals are the loop's */
		if (taken == releaser->put)
			return NULL; /* rg_release_free() */
		count(releaser, rg_loader_send_on(releaser->loader, &releaser->slots[taken % SLOTS]));
		releaser->taken = taken + 1;
	}
}

static void start_thread(struct rg_release *releaser)
{
	int err = rg_thread_start(&releaser->thread, work, releaser);

	releaser->state = err ? THREAD_NEVER : THREAD_RUNS;
	if (err)
		rg_log_warning("held SYNs are released without a thread of their own: %s",
			       strerror(-err));
}

void rg_release_put(struct rg_release *releaser, uint32_t ifindex, const void *frame, size_t len,
		    bool is_clean)
{
	unsigned int put = releaser->put;
	struct rg_release_frame now, *passage = &releaser->slots[put % SLOTS];
	bool can_wait;
	int result;

	if (is_clean && releaser->state == THREAD_NOT_YET)
		start_thread(releaser);
	can_wait = is_clean && releaser->state == THREAD_RUNS && put - releaser->taken < SLOTS;
	if (!can_wait)
		passage = &now;
	result = rg_loader_judge(releaser->loader, ifindex, frame, len, passage);
	if (result == 1 && can_wait) {
		releaser->put = put + 1;
		sem_post(&releaser->work);
		return;
	}
	count(releaser, result == 1 ? rg_loader_send_on(releaser->loader, passage) : result);
}

struct rg_release_count rg_release_count(const struct rg_release *releaser)
{
	return (struct rg_release_count){ .released = releaser->released, .failed = releaser->failed };
}

void rg_release_free(struct rg_release *releaser)
{
	if (!releaser)
		return;
	if (releaser->state == THREAD_RUNS) {
		sem_post(&releaser->work);
		pthread_join(releaser->thread, NULL);
	}
	sem_destroy(&releaser->work);
	free(releaser);
}
