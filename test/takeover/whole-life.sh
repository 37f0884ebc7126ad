#!/bin/sh
# vfio-warden's whole life on a host, by what its operator would type; runs inside of scripts/with-libvirtd.sh.
#   whole-life.sh PACKAGE REPOSITORY DOMAINS_DIRECTORY
# Prints what each step came to, KEY=VALUE, for whole-life.spec.ts.
set -eu
cd "$1"
repository=$2
domains=$3

for directory in /run/vfio-warden /etc/vfio-warden /var/lib/vfio-warden; do
	mkdir -p "$directory"
	mount -t tmpfs -o mode=0755 tmpfs "$directory"
done
export WARDEN_POLICIES="$repository/policies/examples" WARDEN_INVENTORY="$repository/test/fixtures/inventory/node.json"
export WARDEN_PROXY_SOCKET_GROUP=root WARDEN_POLICY_BRAKE=100
wardenctl="node dist/cli/wardenctl.js"

say() { printf '%s=%s\n' "$1" "$2"; }
is() { if "$@" >/dev/null 2>&1; then echo yes; else echo no; fi; }
moved() { virsh dumpxml --inactive "$1" | grep -q pcie-to-pci-bridge; }
leads_to_proxy() { test -L /run/libvirt/libvirt-sock; }
runs() { test "$(virsh domstate "$1")" = running; }
ready() { curl -fsS --unix-socket /run/vfio-warden/api.sock http://localhost/readyz; }

sh deploy/install-hook.sh >/dev/null
kill -HUP "$(cat /run/libvirt/libvirtd.pid)"
node dist/main.js >/run/vfio-warden/log 2>&1 &
service=$!
trap 'kill $service 2>/dev/null || true' EXIT
tries=300
until ready >/dev/null 2>&1; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ] || { cat /run/vfio-warden/log >&2; exit 1; }
	sleep 0.1
done
sh deploy/takeover.sh --live >/dev/null
say taken_over "$(is leads_to_proxy)"

export LIBVIRT_DEFAULT_URI=qemu:///system
for name in idle busy; do virsh --quiet define "$domains/$name.xml"; done
virsh --quiet start busy
say protected "$(is moved idle) $(is moved busy)"

code=0
$wardenctl uninstall --check >/run/vfio-warden/check || code=$?
say check "$code $(is leads_to_proxy) $(is moved idle)"

code=0
$wardenctl uninstall >/run/vfio-warden/uninstall || code=$?
say uninstalled "$code"
say sockets_back "$(is test -S /run/libvirt/libvirt-sock) $(is leads_to_proxy) $(is test -e /run/libvirt/upstream)"
say hook_gone "$(is test ! -e /etc/libvirt/hooks/qemu.d)"
say switch "$(cat /var/lib/vfio-warden/mode)"
say still_moved "$(is moved idle) $(is moved busy)"
say busy_runs "$(is runs busy)"

kill "$service"
wait "$service" || true
say works_without "$(is virsh --quiet start idle) $(is runs busy)"
$wardenctl uninstall --force >/run/vfio-warden/forced && code=0 || code=$?
say forced "$code $(is moved busy) $(is runs busy)"
for name in idle busy; do virsh --quiet destroy "$name"; done
