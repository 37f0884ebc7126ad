#!/bin/sh
# Puts vfio-warden where its units look for it, from a checkout that was built (scripts/setup.sh), and starts it. Can be run any
# number of times; a new version takes the place of the old one at once, and VMs go on.
#   install.sh                   programs, units, the guard in the kernel where it can be built, libvirt's hook
#   install.sh --remove          takes them away; run `wardenctl uninstall` first, which takes back what was done to domains
# Configuration (/etc/vfio-warden) and what the service knows (/var/lib/vfio-warden) stay. Clients go through the proxy only
# after takeover.sh, or by its socket.
set -eu
umask 022

library=/usr/lib/vfio-warden
wardenctl=/usr/bin/wardenctl
guard=/usr/sbin/warden-guard
units=/usr/local/lib/systemd/system
node=/usr/bin/node
names="vfio-warden.service vfio-warden-guard.service vfio-warden-guard-mode.path vfio-warden-guard-mode.service"

fail() {
	echo "install.sh: $*" >&2
	exit 1
}

source=$(cd "$(dirname "$0")/.." && pwd)

# Beside what is there, then one rename(2): the service that runs, and a boot at any moment, find one version whole.
copy_programs() {
	new=$library-$(date -u +%Y%m%d%H%M%S)
	rm -rf "$new"
	mkdir -p "$new/node_modules"
	for part in deploy dist hooks policies package.json; do
		cp -R "$source/$part" "$new/"
	done
	# Native, or with files beside their code; all else is in dist/.
	for module in better-sqlite3 bindings file-uri-to-path swagger-ui-dist; do
		cp -RL "$source/node_modules/$module" "$new/node_modules/"
	done
	find "$new" -name '*.map' -delete
	rm -rf "$new/node_modules/better-sqlite3/deps" "$new/node_modules/better-sqlite3/src"
	find "$new/node_modules/better-sqlite3/build" -type f ! -name better_sqlite3.node -delete
	sync "$new"
	# Put there by hand.
	[ -L "$library" ] || [ ! -d "$library" ] || mv "$library" "$library-before"
	ln -sfn "${new##*/}" "$library.new"
	mv -fT "$library.new" "$library"
	ln -sfn "$library/dist/cli/wardenctl.js" "$wardenctl"
	echo "$library: programs, policies, units' scripts"
}

# Nothing runs from them any more.
remove_others() {
	for other in "$library"-*; do [ "$other" = "$new" ] || rm -rf "$other"; done
}

# Without it the planner does with what the domain XML can say, and `wardenctl host` says why.
copy_guard() {
	folder=$source/kernel/guard
	built=$folder/build/warden-guard
	make -s -C "$folder" >/dev/null 2>&1 || true
	# One that was built elsewhere will do, but not of an older version.
	if [ ! -x "$built" ] || [ -n "$(find "$folder" -maxdepth 1 -name '*.[ch]' -newer "$built")" ]; then
		echo "$guard: not installed; to build it: apt-get install make clang bpftool libbpf-dev libjson-c-dev" >&2
		return 0
	fi
	install -m 0755 "$built" "$guard.new"
	mv -f "$guard.new" "$guard"
	echo "$guard: the guard in the kernel"
}

copy_units() {
	mkdir -p "$units" /etc/vfio-warden
	for name in $names; do
		install -m 0644 "$source/deploy/systemd/$name" "$units/$name.new"
		mv -f "$units/$name.new" "$units/$name"
	done
	systemctl daemon-reload
}

# libvirt looks for a hook that was not there only when it is told to.
install_hook() {
	"$source/deploy/install-hook.sh"
	for daemon in libvirtd virtqemud; do
		if systemctl is-active --quiet "$daemon.service"; then
			systemctl reload "$daemon.service"
			echo "$daemon.service: reloaded, for its hook"
		fi
	done
}

# Nothing of a guard that is not there is left to fail at each boot.
start() {
	if [ -x "$guard" ]; then
		systemctl --quiet enable vfio-warden-guard.service vfio-warden-guard-mode.path
		# One that is attached already gives way to the new program without a moment in between.
		systemctl reload-or-restart vfio-warden-guard.service ||
			echo "vfio-warden-guard.service: it could not be attached here, \`wardenctl host\` says why; all else goes on" >&2
		systemctl start vfio-warden-guard-mode.path
	fi
	systemctl --quiet enable vfio-warden.service
	systemctl restart vfio-warden.service
	echo "vfio-warden.service: it runs, now and after each boot"
}

remove() {
	for socket in /etc/systemd/system/vfio-warden-proxy*.socket; do
		[ ! -e "$socket" ] || fail "clients come through the proxy: run \`wardenctl uninstall\` first"
	done
	"$source/deploy/install-hook.sh" --remove
	for name in $names; do
		[ ! -e "$units/$name" ] || systemctl --quiet disable --now "$name"
		rm -f "$units/$name"
	done
	systemctl daemon-reload
	# It stays with the functions that VMs have: refused there, and gone with the next boot.
	if [ -x "$guard" ]; then
		"$guard" detach >/dev/null || echo "$guard: the guard stays in the kernel until the next boot, at its mode" >&2
	fi
	rm -rf "$guard" "$wardenctl" "$library" "$library"-*
	echo "vfio-warden is removed; /etc/vfio-warden and /var/lib/vfio-warden stay"
}

[ "$(id -u)" -eq 0 ] || fail 'it writes to /usr: run it as root'
[ -d /run/systemd/system ] || fail 'this host was not booted by systemd'
case "$#,${1:-}" in
0,)
	[ -x "$node" ] || fail "$node is missing: install Node 20.19 or later"
	"$node" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' ||
		fail "$node is older than 20.19"
	[ -f "$source/dist/main.js" ] || fail "$source was not built: run scripts/setup.sh"
	case $source in "$library"*) fail "run it from the checkout" ;; esac
	copy_programs
	copy_guard
	copy_units
	start
	install_hook
	remove_others
	;;
1,--remove) remove ;;
*)
	echo 'usage: install.sh [--remove]' >&2
	exit 2
	;;
esac
