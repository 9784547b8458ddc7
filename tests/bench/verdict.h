/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verdict_cost and its programs share. */
#ifndef REPGATE_BENCH_VERDICT_H
#define REPGATE_BENCH_VERDICT_H

#define BENCH_DRAWS (1 << 20) /* power of two; and what bpf_loop does in one call, 8 M at most */

#endif
