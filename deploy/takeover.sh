#!/bin/sh
# Puts the proxy in the place of libvirt's own sockets, so that every client of this host goes through it, and back.
# docs/takeover.md says what that means for access control. Running VMs are not touched.
#
#   takeover.sh --check          says where libvirt's sockets are; changes nothing
#   takeover.sh                  by systemd units, for good; libvirt's daemon restarts once
#   takeover.sh --live           at once and until the next boot; no daemon restarts, no client notices
#   takeover.sh --back           undoes either, without a restart where it was --live
#
# --root DIR works on a tree below DIR (for tests). Each line leaves a host whose clients reach libvirt, through the
# proxy or directly; a script that was interrupted is simply run again.
set -eu

fail() {
	echo "takeover.sh: $*" >&2
	exit 1
}

root=""
action=units
while [ $# -gt 0 ]; do
	case $1 in
	--check | --live | --back) action=${1#--} ;;
	--root)
		[ $# -gt 1 ] || fail "--root needs a directory"
		root=$2
		shift
		;;
	*) fail "unknown option: $1 (there are --check, --live, --back, --root DIR)" ;;
	esac
	shift
done

here=$(cd "$(dirname "$0")" && pwd)
run=$root/run/libvirt
proxy=$root/run/vfio-warden
upstream=$run/upstream
etc=$root/etc/systemd/system

# Modular daemons: virtproxyd comes to virtqemud's socket, so that one alone is enough.
daemon=libvirtd
name=libvirt-sock
if [ -S "$run/virtqemud-sock" ] || [ -e "$etc/virtqemud.socket.d/vfio-warden.conf" ]; then
	daemon=virtqemud
	name=virtqemud-sock
fi

# Each kind of socket is moved by itself: read-write first.
kinds="rw ro"
suffix() { [ "$1" = rw ] || echo -ro; }
is_ours() { [ -L "$1" ] && [ "$(readlink "$1")" = "$2" ]; }
is_listening() {
	[ -S "$1" ] && awk -v path="$(readlink -f "$1")" \
		'$4 == "00010000" && $8 == path { found = 1 } END { exit !found }' /proc/net/unix
}
drop_in() { echo "$etc/$daemon$(suffix "$1").socket.d/vfio-warden.conf"; }

# Writes standard input to a file that is there whole or not at all.
install_text() {
	mkdir -p "$(dirname "$1")"
	cat >"$1.new"
	chmod 0644 "$1.new"
	mv -f "$1.new" "$1"
}

take_live() {
	for kind in $kinds; do
		old=$run/$name$(suffix "$kind") ours=$proxy/libvirt-sock$(suffix "$kind") moved=$upstream/$name$(suffix "$kind")
		if is_ours "$old" "$ours"; then
			echo "$old: it is the proxy's already"
			continue
		fi
		[ ! -e "$(drop_in "$kind")" ] || fail "the units have taken over already: --back first"
		[ -S "$old" ] || fail "$old: no socket is there; is $daemon running?"
		is_listening "$ours" || fail "$ours: nobody listens; start vfio-warden first"
		[ -d "$upstream" ] || mkdir -m 0700 "$upstream"
		# A listening socket goes on under any name. First it has both, then the old name leads to the proxy.
		ln -f "$old" "$moved"
		rm -f "$run/.$name.vfio-warden"
		ln -s "$ours" "$run/.$name.vfio-warden"
		mv -f "$run/.$name.vfio-warden" "$old"
		echo "$old: it leads to the proxy until the next boot; libvirt is at $moved"
	done
}

put_back_live() {
	for kind in $kinds; do
		old=$run/$name$(suffix "$kind") ours=$proxy/libvirt-sock$(suffix "$kind") moved=$upstream/$name$(suffix "$kind")
		if is_ours "$old" "$ours" && [ -S "$moved" ]; then
			rm -f "$run/.$name.vfio-warden"
			ln "$moved" "$run/.$name.vfio-warden"
			mv -f "$run/.$name.vfio-warden" "$old"
			echo "$old: it is libvirt's own again"
		fi
	done
	[ -d "$upstream" ] || return 0
	# Who came to the proxy just before is still on the way to libvirt, by the name that goes now.
	sleep 1
	for kind in $kinds; do rm -f "$upstream/$name$(suffix "$kind")"; done
	rmdir "$upstream"
}

take_by_units() {
	systemctl is-active --quiet vfio-warden.service || fail "vfio-warden.service is not active; start it first"
	for kind in $kinds; do
		unit=vfio-warden-proxy$(suffix "$kind").socket
		sed "s|^ListenStream=.*|ListenStream=/run/libvirt/$name$(suffix "$kind")|" "$here/systemd/$unit" |
			install_text "$etc/$unit"
	done
	# An idle daemon is woken: while it runs it listens by itself, whatever systemd is told below.
	systemctl start "$daemon.service"
	for kind in $kinds; do
		# This one file is the switch: it moves libvirt's socket and brings the proxy's along.
		install_text "$(drop_in "$kind")" <<-UNIT
			[Unit]
			Wants=vfio-warden-proxy$(suffix "$kind").socket
			[Socket]
			ListenStream=
			ListenStream=/run/libvirt/upstream/$name$(suffix "$kind")
			SocketMode=0600
			DirectoryMode=0700
		UNIT
	done
	systemctl daemon-reload
	move_sockets
	for kind in $kinds; do
		unit=vfio-warden-proxy$(suffix "$kind").socket
		systemctl is-active --quiet "$unit" || fail "$unit is not active: see systemctl status $unit, or go --back"
	done
	echo "$run/$name: it is the proxy's, now and after each boot; libvirt is in $upstream"
}

put_back_units() {
	for kind in $kinds; do rm -f "$(drop_in "$kind")"; done
	systemctl start "$daemon.service"
	systemctl daemon-reload
	move_sockets
	for kind in $kinds; do rm -f "$etc/vfio-warden-proxy$(suffix "$kind").socket"; done
	systemctl daemon-reload
	echo "$run/$name: it is libvirt's own again"
}

# By a unit of systemd's own, which finishes even when this script is gone: systemd gives a service no socket while it runs, so
# that all of them stop before they start again. VMs live on, clients connect again. What fails keeps nothing else from starting.
move_sockets() {
	sockets="$daemon.socket $daemon-ro.socket $daemon-admin.socket"
	systemd-run --quiet --collect --wait --pipe --unit=vfio-warden-takeover /bin/sh -c "
		systemctl stop $sockets vfio-warden-proxy.socket vfio-warden-proxy-ro.socket $daemon.service vfio-warden.service
		systemctl start $sockets
		failed=\$?
		systemctl start vfio-warden.service
		systemctl start $daemon.service || failed=1
		exit \$failed" || fail "see journalctl -u vfio-warden-takeover; takeover.sh --back takes the proxy out of the path"
}

check() {
	state=0
	for kind in $kinds; do
		old=$run/$name$(suffix "$kind") ours=$proxy/libvirt-sock$(suffix "$kind") moved=$upstream/$name$(suffix "$kind")
		if is_ours "$old" "$ours"; then
			where="the proxy, until the next boot"
			is_listening "$ours" || where="the proxy, WHICH IS DOWN" state=1
		elif [ -e "$(drop_in "$kind")" ] && [ -S "$moved" ]; then
			where="the proxy, by systemd units"
		elif [ -S "$old" ]; then
			where="libvirt itself: clients bypass the proxy"
			state=1
		else
			where="nobody"
			state=1
		fi
		echo "$old: $where"
	done
	for other in "$daemon-tcp.socket" "$daemon-tls.socket" virtproxyd-tcp.socket virtproxyd-tls.socket; do
		if systemctl is-active --quiet "$other" 2>/dev/null; then
			echo "$other: its clients come over the network and bypass the proxy"
			state=1
		fi
	done
	return "$state"
}

case $action in
check) check ;;
live) take_live ;;
units) take_by_units ;;
back)
	if [ -e "$(drop_in rw)" ] || [ -e "$(drop_in ro)" ]; then put_back_units; fi
	put_back_live
	;;
esac
