#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# guest.sh - in the guest of run.sh: runs the test programs that /vm/boot names, and powers off
#
# Process 1, or a service of systemd.

. /vm/boot
export TOP BUILD TESTBED_SLOW FUZZ_FRAMES FUZZ_SEED
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
exec >/vm/output 2>&1 </dev/null

power_off() {
	sync
	# Unmounting in good order would only take time. The script must not end before the machine does.
	echo o >/proc/sysrq-trigger
	sleep 60
}
trap power_off EXIT

if [ "$$" -eq 1 ]; then
	ln -sfn /proc/self/fd /dev/fd
	ln -sfn /proc/self/fd/0 /dev/stdin
	ln -sfn /proc/self/fd/1 /dev/stdout
	ln -sfn /proc/self/fd/2 /dev/stderr
	mkdir -p /dev/pts /dev/shm /run /tmp
	mount -t devpts devpts /dev/pts
	mount -t tmpfs shm /dev/shm
	mount -t tmpfs -o mode=755 run /run
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t bpf bpf /sys/fs/bpf
	ip link set lo up
	echo guest >/proc/sys/kernel/hostname
fi
modprobe virtio_net
modprobe virtio_rng
printf 'Linux %s, %d processors, up for %ds\n' "$(uname -r)" "$(nproc)" \
	"$(cut -d . -f 1 /proc/uptime)"

# shellcheck disable=SC2086 # words
TEST_TIMEOUT=$((300 * TESTBED_SLOW)) "$TOP/tests/run.sh" /vm/logs $VM_PROGRAMS
echo "$?" >/vm/status
