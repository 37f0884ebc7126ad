#!/bin/sh
# Brings up the lab's host (L1) up to the point where a node waits for orders: file systems, VFIO, and the agent that
# carries out what the runner outside asks for.
#   start.sh PROJECT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
. "$1/lab/l1/own-file-systems.sh"
mount -t securityfs securityfs /sys/kernel/security
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null
hostname lab
ip link set lo up 2>/dev/null || ifconfig lo up
/bin/sh "$1/lab/l1/agent.sh" "$1" &
# Guests are nobody's children, and libvirt's destroy waits until somebody has seen that they ended: process 1 has to.
wait
