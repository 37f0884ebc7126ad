#!/bin/sh
# Runs a command beside libvirt's modular daemons, virtqemud and virtnetworkd, and Debian 13's QEMU, in a tree of their own
# (test/modular/make-tree.sh). Nothing is installed, and the host's libvirt is not touched.
#   scripts/with-modular-libvirt.sh [OPTION...] COMMAND [ARGUMENT...]
#     --prepare         makes the tree where it is missing, which takes a network; without a command that is all
#     --socket-dir DIR  where the sockets are, so that they can be reached from outside of the mount namespace, too; the
#                       daemons see this directory, and of the host's others only /dev, /proc and /sys
# The tree is $WARDEN_TRIXIE_TREE, by default /var/cache/vfio-warden-test/trixie; remove it to have a newer one made.
# The command may end a daemon (/run/libvirt/virtqemud.pid) and start it again (/run/libvirt/start-virtqemud).
set -eu

tree=${WARDEN_TRIXIE_TREE:-/var/cache/vfio-warden-test/trixie}

if [ "${1:-}" = --prepare ] && [ "${WARDEN_IN_NAMESPACE:-}" != yes ]; then
	"$(dirname "$0")/../test/modular/make-tree.sh" "$tree"
	shift
	[ $# -gt 0 ] || exit 0
fi

if [ "${WARDEN_IN_NAMESPACE:-}" != yes ]; then
	if [ ! -x "$tree/usr/sbin/virtqemud" ]; then
		echo "with-modular-libvirt.sh: $tree has no virtqemud; $0 --prepare makes it" >&2
		exit 1
	fi
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
# For this script only: a command that runs it again gets a namespace and daemons of its own.
unset WARDEN_IN_NAMESPACE

socket_dir=/run/libvirt
while :; do
	case "${1:-}" in
	--socket-dir) socket_dir=$(realpath "${2:?"--socket-dir needs a directory"}") ;;
	-*)
		echo "with-modular-libvirt.sh: unknown option $1" >&2
		exit 2
		;;
	*) break ;;
	esac
	shift 2
done

for directory in run tmp etc/libvirt var/lib/libvirt var/cache/libvirt var/log/libvirt; do
	mkdir -p "$tree/$directory"
	mount -t tmpfs -o mode=0755 tmpfs "$tree/$directory"
done
mkdir -p /run/libvirt "$tree/run/libvirt" "$tree/etc/libvirt/qemu" "$tree/etc/libvirt/hooks"
mount --bind "$tree/run/libvirt" /run/libvirt
for directory in /dev /proc /sys; do
	mount --rbind "$directory" "$tree$directory"
done
if [ "$socket_dir" != /run/libvirt ]; then
	mkdir -p "$tree$socket_dir"
	mount --bind "$socket_dir" "$tree$socket_dir"
	for socket in virtqemud-sock virtqemud-sock-ro virtnetworkd-sock virtnetworkd-sock-ro; do
		ln -s "$socket_dir/$socket" "/run/libvirt/$socket"
	done
fi
# As root, and without what a container or a test machine may lack. Files for the guests' output spare virtlogd.
cat >"$tree/etc/libvirt/qemu.conf" <<-'CONF'
	user = "root"
	group = "root"
	security_driver = "none"
	namespaces = []
	cgroup_controllers = []
	remember_owner = 0
	stdio_handler = "file"
CONF
for daemon in virtqemud virtnetworkd; do
	cat >"$tree/etc/libvirt/$daemon.conf" <<-CONF
		auth_unix_rw = "none"
		auth_unix_ro = "none"
		unix_sock_dir = "$socket_dir"
	CONF
	# A file, for commands that end the daemon and want it back.
	cat >"/run/libvirt/start-$daemon" <<-START
		#!/bin/sh
		exec env LC_ALL=C chroot "$tree" /usr/sbin/$daemon --daemon --pid-file /run/libvirt/$daemon.pid
	START
	chmod +x "/run/libvirt/start-$daemon"
done

# Nothing that the daemons started may outlive them: guests do not end with them.
stop() {
	for pid_file in /run/libvirt/virtqemud.pid /run/libvirt/virtnetworkd.pid /run/libvirt/qemu/*.pid \
		/run/libvirt/network/*.pid; do
		kill "$(cat "$pid_file" 2>/dev/null)" 2>/dev/null || true
	done
	# They remove their sockets and these files when they end; the next ones may want the same socket directory.
	tries=50
	while [ -e /run/libvirt/virtqemud.pid ] || [ -e /run/libvirt/virtnetworkd.pid ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || break
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

# Virtqemud asks virtnetworkd for networks at these sockets' usual places.
/run/libvirt/start-virtnetworkd
/run/libvirt/start-virtqemud

answers() {
	LC_ALL=C chroot "$tree" /usr/bin/virsh --connect "$1?socket=/run/libvirt/$2" uri >/dev/null 2>&1
}
tries=100
until answers qemu+unix:///system virtqemud-sock && answers network+unix:///system virtnetworkd-sock; do
	tries=$((tries - 1))
	if [ "$tries" -eq 0 ]; then
		echo "virtqemud or virtnetworkd did not answer within 20 seconds" >&2
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
