/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a record of the ring buffer (make fuzz-ring). A record that is handed on must be whole, and
 * its lengths must stay within it.
 */
#include "kernel/ring.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct calls {
	unsigned int count;
	unsigned int sum; /* of all bytes, so that they are read */
};

static void read_bytes(struct calls *calls, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		calls->sum += ((const uint8_t *)bytes)[i];
}

static void on_syn(void *arg, const struct rg_event_syn *syn)
{
	struct calls *calls = arg;

	calls->count++;
	read_bytes(calls, &syn->head, sizeof(syn->head));
	read_bytes(calls, syn->frame, syn->frame_len);
}

static void on_refused(void *arg, const struct rg_event_head *head)
{
	struct calls *calls = arg;

	calls->count++;
	read_bytes(calls, head, sizeof(*head));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct calls calls = {};
	const struct rg_ring_handlers handlers = { .syn = on_syn,
						   .refused = on_refused,
						   .arg = &calls };
	/* A block of its own: ASan reports a read past its end. */
	void *record = malloc(size ? size : 1);

	if (!record)
		return 0;
	memcpy(record, data, size);
	if (rg_ring_dispatch(&handlers, record, size) != (calls.count == 1)) {
		fprintf(stderr, "broken: %u calls\n", calls.count);
		abort();
	}
	free(record);
	return 0;
}
