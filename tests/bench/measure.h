/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the measuring programs share: clocks, CPUs, mapped memory, spreads, options, and their errors. */
#ifndef REPGATE_BENCH_MEASURE_H
#define REPGATE_BENCH_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct bpf_object;

/* Prints "program: text: error", and exits with EXIT_FAILURE. error: an errno; 0: none. */
__attribute__((format(printf, 2, 3), noreturn)) void measure_fail(int error, const char *format, ...);

double measure_now(clockid_t clock); /* ns */
void measure_pin(int cpu); /* the calling thread, from now on */

/* The memory of a map, shared, to read and write. */
void *measure_map(int fd, size_t size);

/* Leaves out what bpf/filter.bpf.c defines, before loading: the verifier takes half a second for each. */
void measure_leave_out_filter(struct bpf_object *object);

struct measure_spread {
	double median, least, low, high, most; /* low, high: the quartiles */
};

/* Sorts values. */
struct measure_spread measure_spread(double *values, uint32_t count);

/* The number that text is; another text is an error. */
size_t measure_number(const char *text, size_t min, size_t max);

#endif
