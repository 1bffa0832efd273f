#!/bin/busybox sh
# /init of the guest's initramfs: load what the root file system needs, put the host's root
# (read-only, 9p) under a tmpfs overlay, mount the rest, go there. guest-run.sh takes over.
#
# Every failure ends in a panic (PID 1 exits): the host sees a guest that left no exit code.
set -e

busybox mkdir -p /proc /sys /dev /host /rw /root
busybox mount -t proc proc /proc
busybox mount -t devtmpfs dev /dev

if busybox grep -q gmpvm.probe /proc/cmdline; then	# does this accelerator work at all?
	echo 'gmpvm: probe ok'
	busybox reboot -f
fi

while read -r mod; do
	busybox insmod "/modules/$mod"
done </modules/order

p9=trans=virtio,version=9p2000.L,msize=512000
busybox mount -t 9p -o ro,cache=loose,$p9 hostroot /host
busybox mount -t tmpfs -o mode=755 tmpfs /rw
busybox mkdir -p /rw/upper /rw/work /rw/root
busybox mount -t overlay -o lowerdir=/host,upperdir=/rw/upper,workdir=/rw/work root /rw/root

cd /rw/root
busybox mkdir -p proc sys dev run tmp results
busybox mount -t proc proc proc
busybox mount -t sysfs sys sys
busybox mount -t devtmpfs dev dev
busybox ln -s /proc/self/fd dev/fd	# as udev does: bash and others need them
busybox ln -s fd/0 dev/stdin
busybox ln -s fd/1 dev/stdout
busybox ln -s fd/2 dev/stderr
busybox mkdir -p dev/pts dev/shm
busybox mount -t devpts -o mode=620,ptmxmode=666 devpts dev/pts
busybox mount -t tmpfs -o mode=1777 tmpfs dev/shm
# An empty /tmp, unless the tree or the build folder is in the host's.
busybox grep -q gmpvm.keeptmp /proc/cmdline || busybox mount -t tmpfs -o mode=1777 tmpfs tmp
busybox mount -t tmpfs -o mode=755 tmpfs run
busybox mount -t tracefs tracefs sys/kernel/tracing
busybox mount -t debugfs debugfs sys/kernel/debug
busybox mount -t bpf bpf sys/fs/bpf
busybox mount -t cgroup2 cgroup2 sys/fs/cgroup

# Uncached, so that what the guest wrote is on the host even when it panics a moment later.
busybox mkdir -p run/gmpvm
busybox mount -t 9p -o cache=none,$p9 run run/gmpvm
busybox mount -t 9p -o cache=none,$p9 results results
busybox umount /proc /dev
exec busybox switch_root /rw/root /bin/bash /run/gmpvm/guest-run.sh
