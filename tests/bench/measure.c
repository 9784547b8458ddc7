/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "measure.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

void measure_fail(int error, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	if (error)
		fprintf(stderr, ": %s", strerror(error));
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

double measure_now(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

void measure_pin(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		measure_fail(errno, "CPU %d", cpu);
}

void *measure_map(int fd, size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (memory == MAP_FAILED)
		measure_fail(errno, "mapping a map");
	return memory;
}

void measure_leave_out_filter(struct bpf_object *object)
{
	static const char *const names[] = { "filter",		"filter_frags", "release",
					     "monitor",		"preview",	"filter_ip",
					     "filter_ip_frags", "release_ip",	"monitor_ip",
					     "preview_ip",	"send_on",	"steer" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, names[i]);

		if (!program)
			measure_fail(ENOENT, "program %s", names[i]);
		bpf_program__set_autoload(program, false);
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

struct measure_spread measure_spread(double *values, uint32_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (struct measure_spread){ .median = (values[(count - 1) / 2] + values[count / 2]) / 2,
					.least = values[0],
					.low = values[count / 4],
					.high = values[count - 1 - count / 4],
					.most = values[count - 1] };
}

size_t measure_number(const char *text, size_t min, size_t max)
{
	char *end;
	unsigned long long number = strtoull(text, &end, 10);

	if (end == text || *end || *text == '-' || number < min || number > max)
		measure_fail(0, "'%s' is not a number from %zu to %zu", text, min, max);
	return number;
}
