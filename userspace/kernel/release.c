/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "kernel/release.h"

#include "base/log.h"
#include "base/thread.h"

#include <semaphore.h>
#include <stdatomic.h>

#define SLOTS 1024 /* a power of two: put and taken wrap around */

/* The loop writes put, the thread writes taken; the frames between them wait. */
struct rg_release {
	struct rg_loader *loader;
	pthread_t thread;
	enum { THREAD_NOT_YET, THREAD_RUNS, THREAD_NEVER } state; /* the loop's */
	sem_t work; /* posted for each frame that is put, and for the end */
	atomic_uint put, taken;
	atomic_uint_fast64_t released, failed;
	uint64_t monitored; /* the loop's */
	atomic_bool has_complained;
	struct rg_held_frame slots[SLOTS];
};

int rg_release_new(struct rg_release **ret, struct rg_loader *loader)
{
	struct rg_release *release = calloc(1, sizeof(*release));

	if (!release)
		return -ENOMEM;
	release->loader = loader;
	sem_init(&release->work, 0, 0); /* can't fail with 0 */
	*ret = release;
	return 0;
}

/* Called in the thread and in the loop. */
static void count(struct rg_release *release, int err)
{
	if (!err) {
		release->released++;
		return;
	}
	release->failed++;
	if (err == -ENOKEY)
		return; /* the verdict was not stored, which is counted there; a peer can bring that about */
	if (!atomic_exchange(&release->has_complained, true))
		rg_log_warning("a held SYN could not be released (%s): peers wait for their "
			       "retransmission instead; logged once, counted as release_failed",
			       strerror(-err));
}

static void *work(void *arg)
{
	struct rg_release *release = arg;

	for (;;) {
		unsigned int taken = release->taken;

		while (sem_wait(&release->work))
			; /* only a debugger interrupts it: the thread blocks all signals */
		if (taken == release->put)
			return NULL; /* rg_release_free() */
		count(release, rg_held_frame_send(release->loader, &release->slots[taken % SLOTS]));
		release->taken = taken + 1;
	}
}

static void start_thread(struct rg_release *release)
{
	int err = rg_thread_start(&release->thread, "release", work, release);

	release->state = err ? THREAD_NEVER : THREAD_RUNS;
	if (err)
		rg_log_warning("held SYNs are released without a thread of their own: %s",
			       strerror(-err));
}

void rg_release_put(struct rg_release *release, uint32_t ifindex, const void *frame, size_t len,
		    bool is_clean)
{
	unsigned int put = release->put;
	struct rg_held_frame local, *slot = &release->slots[put % SLOTS];
	bool can_wait;
	int result;

	if (is_clean && release->state == THREAD_NOT_YET)
		start_thread(release);
	can_wait = is_clean && release->state == THREAD_RUNS && put - release->taken < SLOTS;
	if (!can_wait)
		slot = &local;
	result = rg_held_frame_judge(release->loader, ifindex, frame, len, slot);
	if (result == 1 && can_wait) {
		release->put = put + 1;
		sem_post(&release->work);
		return;
	}
	count(release, result == 1 ? rg_held_frame_send(release->loader, slot) : result);
}

void rg_release_count_monitored(struct rg_release *release, uint32_t ifindex, const void *frame,
				size_t len)
{
	if (!rg_held_frame_count(release->loader, ifindex, frame, len))
		release->monitored++;
}

struct rg_release_count rg_release_count(const struct rg_release *release)
{
	return (struct rg_release_count){ .released = release->released,
					  .failed = release->failed,
					  .monitored = release->monitored };
}

void rg_release_evidence_update(struct rg_release_evidence *evidence, uint64_t released, uint64_t seen)
{
	uint64_t before = evidence->released[1];

	if (!evidence->updates)
		evidence->base = released > seen ? released - seen : 0;
	if (evidence->updates >= 2 && before > seen + evidence->base + evidence->unseen)
		evidence->unseen = before - seen - evidence->base;
	evidence->released[1] = evidence->released[0];
	evidence->released[0] = released;
	evidence->updates += evidence->updates < 2;
}

void rg_release_free(struct rg_release *release)
{
	if (!release)
		return;
	if (release->state == THREAD_RUNS) {
		sem_post(&release->work);
		pthread_join(release->thread, NULL);
	}
	sem_destroy(&release->work);
	free(release);
}
