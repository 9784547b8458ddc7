/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads beside the event loop. */
#ifndef REPGATE_BASE_THREAD_H
#define REPGATE_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Starts work(arg) in a thread that blocks all signals: the event loop handles them. 0 or -errno. */
static inline int rg_thread_start(pthread_t *ret, void *(*work)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(ret, NULL, work, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

#endif
