/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The time, as each CPU has it in the map `cpus`. The kernel's clock costs 38 ns and jiffies nothing,
 * so the clock is read once in each tick (1/HZ s). A time may be a tick old, so nothing ends early.
 */
#ifndef REPGATE_CLOCK_BPF_H
#define REPGATE_CLOCK_BPF_H

#include "vmlinux.h"

#include "../maps/maps.bpf.h"
#include "compiler.bpf.h"
#include "parse.bpf.h"

/* This CPU's entry, with the time of this tick. NULL: impossible. */
static __always_inline struct rg_cpu *this_cpu(void)
{
	__u64 jiffies = bpf_jiffies64();
	__u32 zero = 0;
	struct rg_cpu *cpu = bpf_map_lookup_elem(&cpus, &zero);
	__u64 second;

	if (!cpu || likely(cpu->jiffies == jiffies))
		return cpu;
	cpu->now = bpf_ktime_get_boot_ns();
	second = cpu->now / RG_NSEC_PER_SEC;
	if (cpu->second != second) {
		cpu->second = second;
		cpu->syns = 0;
	}
	cpu->jiffies = jiffies;
	return cpu;
}

static __always_inline void set_time(const struct rg_cpu *cpu, struct rg_syn *syn)
{
	syn->now = cpu->now;
	syn->second = cpu->second;
}

#endif
