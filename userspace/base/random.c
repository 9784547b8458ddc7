/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/random.h"

#include "base/util.h"

#include <sys/random.h>

void rg_random_fill(void *to, size_t size)
{
	uint8_t *at = to;

	while (size) {
		ssize_t got = getrandom(at, size, 0);

		if (got > 0) {
			at += got;
			size -= (size_t)got;
		} else if (errno != EINTR) {
			fprintf(stderr, "the kernel gives no random numbers: %m\n");
			abort();
		}
	}
}

uint32_t rg_random_number(void)
{
	uint32_t number;

	rg_random_fill(&number, sizeof(number));
	return number;
}
