#!/bin/sh
# Runs a command beside a libvirtd of its own, in a private mount namespace: the host's libvirt is not touched.
#   scripts/with-libvirtd.sh [OPTION...] COMMAND [ARGUMENT...]
#     --host INVENTORY.json  the PCI devices of the inventory take the place of the machine's (test/fixtures/host)
#     --hook FILE            what libvirt runs as its qemu hook
#     --socket-dir DIR       where libvirtd's sockets are, so that they can be reached from outside of the namespace, too
# The command may end the daemon (/run/libvirt/libvirtd.pid) and start it again (/run/libvirt/start-libvirtd).
set -eu

if [ "${WARDEN_IN_NAMESPACE:-}" != yes ]; then
	export WARDEN_IN_NAMESPACE=yes
	set -- "$0" "$@"
	# Guests are nobody's children, and libvirt's destroy waits until somebody has seen that they ended. Where process 1
	# of a container takes its time, that is over a second for each guest, so this shell adopts them.
	if [ -x /usr/bin/python3 ]; then
		set -- /usr/bin/python3 -ISc 'import ctypes, os, sys
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
os.execv(sys.argv[1], sys.argv[1:])' "$@"
	fi
	exec unshare --mount --propagation private -- "$@"
fi
# For this script only: a command that runs it again gets a namespace and a libvirtd of its own.
unset WARDEN_IN_NAMESPACE

inventory="" hook="" socket_dir=/run/libvirt
while :; do
	case "${1:-}" in
	--host) inventory=${2:?"--host needs a file"} ;;
	--hook) hook=${2:?"--hook needs a file"} ;;
	--socket-dir) socket_dir=$(realpath "${2:?"--socket-dir needs a directory"}") ;;
	-*)
		echo "with-libvirtd.sh: unknown option $1" >&2
		exit 2
		;;
	*) break ;;
	esac
	shift 2
done

for directory in /run/libvirt /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
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
cat >/etc/libvirt/libvirtd.conf <<-CONF
	auth_unix_rw = "none"
	auth_unix_ro = "none"
	unix_sock_dir = "$socket_dir"
CONF
[ -z "$hook" ] || install -m 0755 "$hook" /etc/libvirt/hooks/qemu
if [ "$socket_dir" != /run/libvirt ]; then
	for socket in libvirt-sock libvirt-sock-ro; do
		ln -s "$socket_dir/$socket" "/run/libvirt/$socket"
	done
fi
environment=""
if [ -n "$inventory" ]; then
	"$(dirname "$0")/../test/fixtures/host/mount-host.sh" "$inventory"
	# libudev would otherwise leave out devices that are not on a real sysfs.
	environment="LD_PRELOAD=/run/libvirt/host/kernel-stand-in.so SYSTEMD_DEVICE_VERIFY_SYSFS=0"
fi

# Nothing that the daemon started may outlive it: guests and dnsmasq do not end with it.
stop() {
	for pid_file in /run/libvirt/libvirtd.pid /run/libvirt/qemu/*.pid /run/libvirt/network/*.pid \
		/run/libvirt/virtlogd.pid; do
		kill "$(cat "$pid_file" 2>/dev/null)" 2>/dev/null || true
	done
	# It removes its sockets and this file when it ends; the next daemon may want the same socket directory.
	tries=50
	while [ -e /run/libvirt/libvirtd.pid ] && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.1
	done
}
trap stop EXIT
command=""
end() {
	[ -z "$command" ] || kill "$command" 2>/dev/null || true
	exit "$1"
}
trap 'end 129' HUP
trap 'end 130' INT
trap 'end 143' TERM

# A file, for commands that end the daemon and want it back.
cat >/run/libvirt/start-libvirtd <<-START
	#!/bin/sh
	exec env $environment libvirtd --daemon --pid-file /run/libvirt/libvirtd.pid
START
chmod +x /run/libvirt/start-libvirtd
virtlogd --daemon --pid-file /run/libvirt/virtlogd.pid
/run/libvirt/start-libvirtd

tries=100
until virsh --connect qemu:///system version >/dev/null 2>&1; do
	tries=$((tries - 1))
	if [ "$tries" -eq 0 ]; then
		echo "libvirtd did not answer within 20 seconds" >&2
		exit 1
	fi
	sleep 0.2
done
# In the background, where a signal is not kept waiting for the command's end; with the standard input that it would have.
exec 3<&0
"$@" <&3 3<&- &
command=$!
exec 3<&-
wait "$command"
