#!/bin/sh
# Brings up the lab's host (L1) up to the point where a node waits for orders: file systems, VFIO, and the agent that
# carries out what the runner outside asks for.
#   start.sh PROJECT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
# An overlay over 9p lacks what libvirt's and QEMU's files need (locks, extended attributes, direct I/O).
for directory in /dev/shm /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt /var/lib/vfio-warden; do
	mkdir -p "$directory"
	mount -t tmpfs tmpfs "$directory"
done
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
hostname lab
ip link set lo up 2>/dev/null || ifconfig lo up
modprobe -a vfio-pci virtio_console nvme e1000e
# There is no udev: a port's name is in sysfs.
until port=$(grep -lx agent /sys/class/virtio-ports/*/name 2>/dev/null); do
	sleep 0.1
done
port=${port%/name}
/usr/bin/python3 -ISu "$1/lab/l1/agent.py" "/dev/${port##*/}" &
# Guests are nobody's children, and libvirt's destroy waits until somebody has seen that they ended: process 1 has to.
wait
