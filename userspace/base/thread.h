/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside the event loop. */
#ifndef REPGATE_BASE_THREAD_H
#define REPGATE_BASE_THREAD_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>

/*
 * Starts work(arg) in a thread that blocks all signals: the event loop handles them. name: at most 15
 * characters, as `top -H` and /proc/PID/task/TID/comm show it. The caller joins the thread. 0 or -errno.
 */
static inline int rg_thread_start(pthread_t *ret, const char *name, void *(*work)(void *arg),
				  void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, work, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		(void)pthread_setname_np(*ret, name);
	return -err;
}

/* Lets everything else go first, the event loop above all. Called by a thread that works for a walk. */
static inline void rg_thread_yield_to_all(void)
{
	const struct sched_param none = {};

	(void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

#endif
