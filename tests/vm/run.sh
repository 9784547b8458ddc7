#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# run.sh - the tests that depend on the kernel, under other kernels than the one that runs here
#
#	run.sh [KERNEL...]
#
# KERNEL is a Debian package, linux-image-6.12-amd64 for instance, or a part of
# its name. Without one, each stock kernel that the configured apt sources have
# is taken: linux-image-amd64, linux-image-VERSION-amd64, and the same for rented
# machines (cloud-amd64).
#
#	  host                                guest (qemu, no KVM needed)
#	+--------------------------------+  +------------------------------------+
#	| run.sh: unpacks the kernel,    |  | init.sh: mounts, then one of       |
#	| boots it twice, shows OUTPUT   |  |   guest.sh as process 1            |
#	|                                |  |   systemd, which starts guest.sh   |
#	| /                    ---- read-only ------> /     (changes in a tmpfs) |
#	| $BUILD/vm/.../share  <--------------------> /vm                        |
#	|                                |  |                                    |
#	| nothing: a hub of qemu's own, or two taps, joins the guest's two cards |
#	+--------------------------------+  +------------------------------------+
#
# The files come by 9p, or by virtiofs if the kernel has no 9p (Debian's cloud
# kernels).
#
# The share has `boot`, the guest's orders, and receives `output`, `status`,
# `console` and `logs/`. Programs are built here, before (`make tests`).
#
#	BUILD		what was built, and where kernels are kept (.build)
#	VM_ACCEL	qemu's accelerator (tcg; with kvm VM_SLOW should be 1)
#	VM_SLOW		how much longer the tests wait (20)
#	VM_TESTS	what to run, instead of the list below: "race test_filter test_native ..."
#	VM_LIMIT	minutes after which a guest is ended (60)
#	FUZZ_FRAMES, FUZZ_SEED	for fuzz_filter.sh
set -euo pipefail
export LC_ALL=C

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$(cd "${BUILD:-$TOP/.build}" && pwd)
VM=$BUILD/vm
ACCEL=${VM_ACCEL:-tcg}
SLOW=${VM_SLOW:-20}
LIMIT=${VM_LIMIT:-60}
MEMORY=2048

# What the initramfs needs to see the host's files. The rest is loaded by
# modprobe in the guest.
# shellcheck disable=SC2034 # initramfs() uses them by name
BOOT_MODULES_9p=(virtio_pci 9pnet_virtio 9p overlay)
# shellcheck disable=SC2034
BOOT_MODULES_virtiofs=(virtio_pci virtiofs overlay)

# The tests that depend on the kernel, besides the packet rows. Left out are
#	test_many, test_memory, test_responder_load, test_reload	thousands of
#		peers within seconds, valgrind, or a million lines: an emulated
#		processor is too slow
#	test_rules	2,000 peers a second: DNS times out, and they pass
#	test_hold, test_actions, test_expiry	milliseconds, SYNs a minute, and
#		seconds to the end of a TTL, which depend on what else the host
#		does; test_native has the actions, the packet rows the expiry
#	test_senders, test_secret, test_country, test_bad_input	the reaction
#		of senders, and the agent alone: the kernel has no part in it
PLAIN_TESTS=(test_native test_dispatcher test_lifecycle test_links fuzz_filter)
# With systemd as process 1.
SYSTEMD_TESTS=(test_service)

# Runs its arguments in a namespace with two taps, each with four queues, on one bridge.
# shellcheck disable=SC2016 # the inner shell's variables
JOIN_TAPS='set -e
	ip link add join type bridge
	ip link set join up
	for tap in tap0 tap1; do
		ip tuntap add dev "$tap" mode tap multi_queue
		ip link set dev "$tap" master join up
	done
	exec "$@"'

passed=0 failed=0 skipped=0
results=()
guest=
servers=()

die() {
	printf 'vm: %s\n' "$*" >&2
	exit 1
}

clean_up() {
	[ -z "$guest" ] || kill "$guest" 2>/dev/null || true
	[ "${#servers[@]}" -eq 0 ] || kill "${servers[@]}" 2>/dev/null || true
	wait
}

# --- kernels -----------------------------------------------------------------

# stock_kernels: the packages that follow the newest kernel of a series
stock_kernels() {
	apt-cache search --names-only '^linux-image-([0-9.]+-)?(cloud-)?amd64$' |
		cut -d ' ' -f 1 | sort -V
}

# kernel_version PACKAGE: prints the version of its image, for instance
# 6.1.0-50-amd64
kernel_version() {
	local image=$1
	if [[ ! $image =~ ^linux-image-[0-9.]+[-+].*[0-9]-?[a-z]*-amd64$ ]]; then
		image=$(apt-cache depends --important "$1" |
			sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
	fi
	[ -z "$image" ] || echo "${image#linux-image-}"
}

# kernel_fetch VERSION: unpacks it into $VM/VERSION, once
kernel_fetch() {
	local version=$1 dir=$VM/$1 new=$VM/$1.new
	[ ! -e "$dir/vmlinux" ] || return 0
	rm -rf "$new" "$dir"
	mkdir -p "$new"
	printf 'Fetching linux-image-%s\n' "$version"
	(cd "$new" && apt-get -q -o APT::Sandbox::User=root \
		download "linux-image-$version") >"$VM/apt.log" 2>&1 </dev/null ||
		die "linux-image-$version can't be downloaded (apt-get update?):" \
			"$(tail -n 1 "$VM/apt.log")"
	dpkg-deb -x "$new"/*.deb "$new"
	rm "$new"/*.deb
	# On Debian, the package's installation would do this.
	depmod -b "$new" "$version"
	unpack_image "$new/boot/vmlinuz-$version" >"$new/vmlinux"
	mv "$new" "$dir"
}

# number FILE OFFSET BYTES
number() {
	od -An -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# unpack_image BZIMAGE: prints the ELF file inside. The header has its offset and
# length (Documentation/arch/x86/boot.rst: setup_sects, payload_offset,
# payload_length; the last four bytes are the unpacked size). An emulated
# processor would need seconds for this at each boot.
unpack_image() {
	local start length unpack
	start=$((($(number "$1" 0x1f1 1) + 1) * 512 + $(number "$1" 0x248 4)))
	length=$(($(number "$1" 0x24c 4) - 4))
	case $(od -An -t x1 -j "$start" -N 4 "$1" | tr -d ' ') in
	fd377a58) unpack=xz ;;
	28b52ffd) unpack=zstd ;;
	02214c18) unpack=lz4 ;;
	*) die "$1: packed in a way that is not known here" ;;
	esac
	tail -c +$((start + 1)) "$1" | head -c "$length" | "$unpack" -dc || true
}

# way_in VERSION: prints how the guest sees the host's files: 9p or virtiofs
way_in() {
	if modprobe -d "$VM/$1" -S "$1" -D 9pnet_virtio >/dev/null 2>&1; then
		echo 9p
	else
		echo virtiofs
	fi
}

# initramfs VERSION: init.sh, busybox and the modules it begins with
initramfs() {
	local root=$VM/initramfs module
	local -n modules=BOOT_MODULES_$(way_in "$1")
	rm -rf "$root"
	mkdir -p "$root"/{bin,modules}
	cp "$(command -v busybox)" "$root/bin/busybox"
	install -m 755 "$TOP/tests/vm/init.sh" "$root/init"
	for module in "${modules[@]}"; do
		modprobe -d "$VM/$1" -S "$1" -D "$module"
	done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' |
		while read -r module; do
			module_unpack "$module" "$root/modules"
		done >"$root/modules/order"
	(cd "$root" && find . | cpio --quiet -o -H newc) >"$VM/initramfs.cpio"
	rm -rf "$root"
}

# module_unpack FILE DIRECTORY: prints the name it has there
module_unpack() {
	local name=${1##*/}
	name=${name%%.ko*}.ko
	case $1 in
	*.xz) xz -dc "$1" >"$2/$name" ;;
	*.zst) zstd -qdc "$1" >"$2/$name" ;;
	*) cp "$1" "$2/$name" ;;
	esac
	echo "$name"
}

# --- guests ------------------------------------------------------------------

# test_program NAME: prints the path of its file
test_program() {
	local file
	for file in "$BUILD/tests/packet/$1" "$TOP/tests/vm/$1.sh" "$TOP/tests/e2e/$1.sh"; do
		[ ! -f "$file" ] || {
			echo "$file"
			return
		}
	done
	die "no such test: $1"
}

# chosen NAME...: prints the files of those that VM_TESTS names
chosen() {
	local name
	for name in "$@"; do
		if [ -z "${VM_TESTS:-}" ] || [[ " $VM_TESTS " = *" $name "* ]]; then
			test_program "$name"
		fi
	done
}

# boot_file VERSION plain|systemd PROGRAM...: what init.sh and guest.sh read
boot_file() {
	printf 'VM_KERNEL=%q\nVM_INIT=%q\nTOP=%q\nBUILD=%q\nTESTBED_SLOW=%q\n' \
		"$1" "$2" "$TOP" "$BUILD" "$SLOW"
	printf 'FUZZ_FRAMES=%q\nFUZZ_SEED=%q\n' "${FUZZ_FRAMES:-}" "${FUZZ_SEED:-}"
	shift 2
	# busybox reads this file too, and has no arrays.
	printf 'VM_PROGRAMS=%q\n' "$*"
}

# taps_work: can two taps be joined in a network namespace of their own?
taps_work() {
	unshare --net bash -c "$JOIN_TAPS" bash true >/dev/null 2>&1 </dev/null
}

# cards: qemu's arguments for the guest's two cards. With taps they have enough
# queues for each processor to send from XDP by its own, as in production; the
# hub has one queue, which the driver then locks.
cards() {
	local number mac=(02:00:00:00:00:25 02:00:00:00:00:01)
	for number in 0 1; do
		if [ "$TAPS" = yes ]; then
			printf '%s\n' -netdev "tap,id=net$number,ifname=tap$number,queues=4,script=no,downscript=no" \
				-device "virtio-net-pci,netdev=net$number,mac=${mac[number]},mq=on,vectors=10"
		else
			printf '%s\n' -netdev "hubport,id=net$number,hubid=0" \
				-device "virtio-net-pci,netdev=net$number,mac=${mac[number]}"
		fi
	done
}

# virtiofs_program: prints the path of virtiofsd: of qemu 7 (Debian 12), or its successor
virtiofs_program() {
	local file
	for file in /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd; do
		[ ! -x "$file" ] || {
			echo "$file"
			return
		}
	done
	die 'no virtiofsd'
}

# virtiofs_start TAG DIRECTORY SHARE: serves the directory to one guest; it ends with the guest
virtiofs_start() {
	local socket=$VM/$1.socket i
	rm -f "$socket"
	"$(virtiofs_program)" --socket-path="$socket" -o "source=$2" -o sandbox=chroot \
		-o cache=auto >"$3/virtiofsd-$1" 2>&1 </dev/null &
	servers+=($!)
	for ((i = 0; i < 100; i++)); do
		[ ! -S "$socket" ] || return 0
		sleep 0.1
	done
	die "virtiofsd does not listen: $(tail -n 1 "$3/virtiofsd-$1")"
}

# files VERSION SHARE: sets `files` to qemu's arguments for the two directories
files() {
	local tag
	if [ "$(way_in "$1")" = 9p ]; then
		files=(-virtfs "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"
			-virtfs "local,path=$2,mount_tag=share,security_model=none,multidevs=remap")
		return
	fi
	virtiofs_start host / "$2"
	virtiofs_start share "$2" "$2"
	# The server reads and writes in the guest's memory.
	files=(-object "memory-backend-memfd,id=memory,size=${MEMORY}M,share=on" -numa node,memdev=memory)
	for tag in host share; do
		files+=(-chardev "socket,id=$tag,path=$VM/$tag.socket"
			-device "vhost-user-fs-pci,chardev=$tag,tag=$tag")
	done
}

# boot VERSION SHARE: returns when the guest has powered itself off, or after
# LIMIT. The cards are joined to each other and to nothing else.
boot() {
	local dir=$VM/$1 share=$2 qemu cards files=()
	files "$1" "$share"
	mapfile -t cards < <(cards)
	# no_timer_check: where the host is busy, an emulated timer comes late, and the kernel gives up.
	# shellcheck disable=SC2054 # the commas are qemu's
	qemu=(qemu-system-x86_64 -M q35 -accel "$ACCEL" -cpu max -smp 2 -m "$MEMORY"
		-nodefaults -no-user-config -display none -no-reboot
		-kernel "$dir/vmlinux" -initrd "$VM/initramfs.cpio"
		-append "console=ttyS0 panic=-1 loglevel=4 no_timer_check vm_files=$(way_in "$1")"
		-serial "file:$share/console"
		"${files[@]}" "${cards[@]}" -object rng-random,id=rng,filename=/dev/urandom -device virtio-rng-pci,rng=rng)
	[ "$TAPS" != yes ] ||
		qemu=(unshare --net bash -c "$JOIN_TAPS" bash "${qemu[@]}")
	timeout --kill-after=10 "${LIMIT}m" nice "${qemu[@]}" >"$share/qemu" 2>&1 </dev/null &
	guest=$!
	tail -q -n +1 -f --pid="$guest" "$share/output" &
	# Signals are seen while bash waits, and not while a command runs.
	wait "$!"
	wait "$guest" || printf 'qemu ended with status %d: %s\n' "$?" \
		"$(tail -n 1 "$share/qemu")"
	guest=
	[ "${#servers[@]}" -eq 0 ] || kill "${servers[@]}" 2>/dev/null || true
	servers=()
}

# counts FILE: prints the sums of the programs' results. A guest that did not
# finish counts as one failure.
counts() {
	awk '/^   [a-z0-9_\/]+: [0-9]+ passed, [0-9]+ failed/ { ok += $2; bad += $4 }
		END { print ok + 0, bad + 0 }' "$1"
}

# session VERSION plain|systemd PROGRAM...: one boot
session() {
	local version=$1 share=$VM/$1/share-$2 begun=$SECONDS ok bad
	[ "$#" -gt 2 ] || return 0
	rm -rf "$share"
	mkdir -p "$share/logs"
	: >"$share/output"
	boot_file "$@" >"$share/boot"
	printf '\n=== Linux %s, %s\n' "$version" "$2"
	boot "$version" "$share"
	if [ ! -s "$share/status" ]; then
		printf 'not ok - the guest did not come to its end\n'
		printf '%s\n' "--- the end of $share/console" \
			"$(tail -n 20 "$share/console")" '---'
	fi
	read -r ok bad < <(counts "$share/output")
	[ -s "$share/status" ] || bad=$((bad + 1))
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + $(cat "$share"/logs/* 2>/dev/null | grep -c '^skipped:' || true)))
	results+=("$(printf '%-24s %-8s %4d passed, %d failed, %ds' "$version" "$2" \
		"$ok" "$bad" $((SECONDS - begun)))")
}

# kernel PACKAGE
kernel() {
	local version rows plain systemd
	mapfile -t rows < <(compgen -G "$BUILD/tests/packet/test_*" | grep -v '\.d$')
	version=$(kernel_version "$1")
	[ -n "$version" ] || die "$1: no such kernel in the apt sources"
	kernel_fetch "$version"
	initramfs "$version"
	plain=$(chosen "${rows[@]##*/}" "${PLAIN_TESTS[@]}")
	systemd=$(chosen "${SYSTEMD_TESTS[@]}")
	# shellcheck disable=SC2086 # words
	{
		session "$version" plain $plain
		session "$version" systemd $systemd
	}
}

[ "$(id -u)" -eq 0 ] || {
	echo 'skipped: the guest sees all files as this user does, and needs root'
	exit 77
}
mkdir -p "$VM"
exec 9>"$VM/lock"
flock -n 9 || die "another one runs with $VM"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
TAPS=no
! taps_work || TAPS=yes
# A fresh clone, perhaps on a machine whose package lists are old or empty.
if ! compgen -G "$VM/*/vmlinux" >/dev/null; then
	apt-get -q -o DPkg::Lock::Timeout=300 update >"$VM/apt.log" 2>&1 </dev/null ||
		die "apt-get update: $(tail -n 1 "$VM/apt.log")"
fi
mapfile -t known < <(stock_kernels)
wanted=("$@")
[ "$#" -gt 0 ] || wanted=("${known[@]}")
[ "${#wanted[@]}" -gt 0 ] || die 'apt knows no kernels: apt-get update?'
for package in "${wanted[@]}"; do
	kernel "$package"
done

echo
printf '%s\n' "${results[@]}"
[ "$skipped" -eq 0 ] || printf 'Skipped: %d\n' "$skipped"
printf '%d passed, %d failed\n' "$passed" "$failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
