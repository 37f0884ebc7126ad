#!/bin/sh
# Runs a command beside a libvirtd of its own, in a private mount namespace: the host's libvirt is not touched.
#   scripts/with-libvirtd.sh COMMAND [ARGUMENT...]
set -eu

if [ "${WARDEN_IN_NAMESPACE:-}" != yes ]; then
	WARDEN_IN_NAMESPACE=yes exec unshare --mount --propagation private -- "$0" "$@"
fi

for directory in /run/libvirt /var/lib/libvirt /etc/libvirt; do
	mkdir -p "$directory"
	mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
mkdir -p /etc/libvirt/hooks /etc/libvirt/qemu
# As root, and without what a container or a test machine may lack; /dev/kvm may be for root only, too.
cat >/etc/libvirt/qemu.conf <<-'CONF'
	user = "root"
	group = "root"
	security_driver = "none"
	namespaces = []
	cgroup_controllers = []
	remember_owner = 0
CONF
cat >/etc/libvirt/libvirtd.conf <<-'CONF'
	auth_unix_rw = "none"
	auth_unix_ro = "none"
CONF

virtlogd --daemon --pid-file /run/libvirt/virtlogd.pid
libvirtd --daemon --pid-file /run/libvirt/libvirtd.pid

stop() {
	for pid_file in /run/libvirt/libvirtd.pid /run/libvirt/virtlogd.pid; do
		[ -f "$pid_file" ] && kill "$(cat "$pid_file")" 2>/dev/null || true
	done
}
trap stop EXIT

tries=100
until virsh --connect qemu:///system version >/dev/null 2>&1; do
	tries=$((tries - 1))
	if [ "$tries" -eq 0 ]; then
		echo "libvirtd did not answer within 20 seconds" >&2
		exit 1
	fi
	sleep 0.2
done
"$@"
