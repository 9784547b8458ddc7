/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads besides the loop's. */
#ifndef REPGATE_BASE_THREAD_H
#define REPGATE_BASE_THREAD_H

#include <pthread.h>
#include <signal.h>

/* Signals are the loop's: the thread has them all blocked. 0 or -errno. */
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
