/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tshark's opinion of frames: which are a SYN, or a fragment, of TCP that is the frame's own, and not
 * inside a tunnel or quoted by an error message. Nothing is put together again: each frame speaks for
 * itself.
 */
#ifndef REPGATE_TESTS_TSHARK_H
#define REPGATE_TESTS_TSHARK_H

#include "capture.h"

enum tshark_kind {
	TSHARK_OTHER,
	TSHARK_SYN, /* SYN without ACK, RST and FIN */
	TSHARK_FIRST_FRAGMENT, /* of TCP, with a SYN or with flags that are not there */
	TSHARK_LATER_FRAGMENT, /* of TCP, at less than 20 bytes */
	TSHARK_ENDS, /* tshark looks no further: a mobility, HIP or Shim6 header, malformed IP options */
};

struct tshark_view {
	enum tshark_kind kind;
	long port; /* the destination's; -1 if it is not there */
};

/*
 * One view for each frame of the capture, by way of the file path. 0; -ENOENT: there is no tshark; or
 * another negative error. The caller frees *ret.
 */
int tshark_read(struct tshark_view **ret, const struct capture *capture, const char *path);

#endif
