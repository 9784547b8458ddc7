/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records of the ring buffer from any bytes: what is passed on must be whole, and all that its
 * lengths say must lie within the record.
 *
 * clang -g -O2 -std=gnu11 -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined \
 *	-fno-sanitize-recover=undefined tests/fuzz/fuzz_ring.c userspace/events.c -o fuzz_ring \
 *	-lbpf -levent_core
 * fuzz_ring -max_len=400 NEW_DIRECTORY tests/fuzz/corpus_ring
 */
#include "kernel/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
	unsigned int calls;
	unsigned int sum; /* so that the bytes are read */
};

static void read_bytes(struct seen *seen, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		seen->sum += ((const uint8_t *)bytes)[i];
}

static void on_syn(void *arg, const struct rg_event_syn *syn)
{
	struct seen *seen = arg;

	seen->calls++;
	read_bytes(seen, &syn->head, sizeof(syn->head));
	read_bytes(seen, syn->frame, syn->frame_len);
}

static void on_refused(void *arg, const struct rg_event_head *head)
{
	struct seen *seen = arg;

	seen->calls++;
	read_bytes(seen, head, sizeof(*head));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {};
	const struct rg_ring_handlers calls = { .syn = on_syn, .refused = on_refused, .arg = &seen };
	/* Records are aligned to 8, and end where they end. */
	void *record = malloc(size ? size : 1);

	if (!record)
		return 0;
	memcpy(record, data, size);
	if (rg_ring_dispatch(&calls, record, size) != (seen.calls == 1)) {
		fprintf(stderr, "broken: %u calls\n", seen.calls);
		abort();
	}
	free(record);
	return 0;
}
