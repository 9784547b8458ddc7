#!/bin/busybox sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=dash
#
# init.sh - the first program in the guest of run.sh: makes the host's files its root, then hands over
#
# What is changed there is in memory and ends with the guest; only /vm is the
# host's own.

/bin/busybox mkdir -p /proc /sys /dev /host /upper /sysroot
/bin/busybox --install -s /bin
export PATH=/bin

give_up() {
	echo "init: $*" >/dev/console
	sync
	poweroff -f
}

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
while read -r module; do
	insmod "/modules/$module" || give_up "no module $module"
done </modules/order

# mount_host NAME DIRECTORY OPTIONS OPTIONS_9P
mount_host() {
	if grep -q 'vm_files=virtiofs' /proc/cmdline; then
		mount -t virtiofs -o "$3" "$1" "$2"
	else
		mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$3$4" "$1" "$2"
	fi
}

mount_host host /host ro ,cache=loose || give_up 'no host'
mount -t tmpfs -o mode=755 upper /upper
mkdir /upper/upper /upper/work
mount -t overlay -o lowerdir=/host,upperdir=/upper/upper,workdir=/upper/work \
	root /sysroot || give_up 'no overlay'
mkdir -p /sysroot/vm
mount_host share /sysroot/vm rw '' || give_up 'no share'
. /sysroot/vm/boot

modules=/lib/modules/$VM_KERNEL
mkdir -p "/sysroot$modules"
mount --bind "/sysroot$BUILD/vm/$VM_KERNEL$modules" "/sysroot$modules"
for file in proc sys dev; do
	mkdir -p "/sysroot/$file"
	mount --move "/$file" "/sysroot/$file"
done

# The host's own services, disks and mounts are none of the guest's. What is
# slow over 9p or waits for devices is left out, too.
only_the_test() {
	local etc=/sysroot/etc unit generator
	# Where the host is a container: the guest is none.
	rm -f /sysroot/.dockerenv
	: >$etc/fstab
	: >$etc/machine-id
	mkdir -p $etc/systemd/system-generators
	for generator in /sysroot/lib/systemd/system-generators/*; do
		ln -sf /dev/null "$etc/systemd/system-generators/${generator##*/}"
	done
	for unit in systemd-tmpfiles-setup systemd-tmpfiles-setup-dev \
		systemd-udevd systemd-udev-trigger systemd-udev-settle \
		systemd-binfmt systemd-firstboot systemd-hwdb-update \
		systemd-journal-flush systemd-modules-load systemd-pcrphase-sysinit \
		systemd-random-seed systemd-sysusers systemd-timesyncd \
		systemd-update-utmp systemd-journal-catalog-update \
		systemd-update-done ldconfig apparmor networking \
		modprobe@configfs modprobe@drm modprobe@dm_mod modprobe@efi_pstore \
		modprobe@fuse modprobe@loop; do
		ln -sf /dev/null "$etc/systemd/system/$unit.service"
	done
	for unit in timers.target dev-hugepages.mount dev-mqueue.mount \
		sys-kernel-config.mount sys-kernel-debug.mount \
		sys-kernel-tracing.mount proc-sys-fs-binfmt_misc.automount; do
		ln -sf /dev/null "$etc/systemd/system/$unit"
	done
	cat >$etc/systemd/system/vm.target <<-END
	[Unit]
	Requires=basic.target vm.service
	After=basic.target
	AllowIsolate=yes
	END
	ln -sf vm.target $etc/systemd/system/default.target
	cat >$etc/systemd/system/vm.service <<-END
	[Unit]
	Wants=dbus.socket
	After=basic.target dbus.socket
	[Service]
	ExecStart=/bin/bash $TOP/tests/vm/guest.sh
	END
}

case $VM_INIT in
systemd)
	only_the_test
	exec switch_root /sysroot /lib/systemd/systemd
	;;
*)
	exec switch_root /sysroot /bin/bash "$TOP/tests/vm/guest.sh"
	;;
esac
