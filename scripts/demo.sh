#!/bin/sh
# The main job on real parts: a libvirtd of its own, vfio-warden in front of it, and a virsh that defines and starts a
# domain with an NVMe controller, a GPU with its audio function and a NIC. The service is left running.
#   scripts/demo.sh [--stop]
# Few machines have such devices: libvirt and QEMU see stand-ins of them (test/fixtures/host/README.md), in a private mount
# namespace. The host's libvirt is not touched.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
dir=/run/vfio-warden-demo

stop() {
	for part in service host; do
		pid=$(cat "$dir/$part.pid" 2>/dev/null) || continue
		kill "$pid" 2>/dev/null || continue
		tries=150
		while kill -0 "$pid" 2>/dev/null && [ "$tries" -gt 0 ]; do
			tries=$((tries - 1))
			sleep 0.1
		done
	done
	rm -rf "$dir"
}

if [ "${1:-}" = --stop ]; then
	stop
	echo "The demonstration is stopped; nothing of it is left."
	exit 0
fi

scripts/setup.sh
stop
mkdir -p "$dir/libvirt"
chmod 0755 "$dir" "$dir/libvirt"

say() { printf '\n== %s\n' "$*"; }

# The parts are told to go on without this shell, and to end when they are stopped.
wait_for() {
	what=$1 log=$2 tries=300
	shift 2
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		if [ "$tries" -eq 0 ]; then
			echo "$what did not get ready within 30 seconds:" >&2
			tail -n 20 "$log" >&2
			stop
			exit 1
		fi
		sleep 0.1
	done
}

say "libvirtd, with vfio-warden's hook, on a host with the devices of test/fixtures/inventory"
printf 'SOCKET=%s\nMODE_FILE=%s\n' "$dir/hook.sock" "$dir/state/mode" >"$dir/hook.conf"
sed "s|/etc/vfio-warden/hook.conf|$dir/hook.conf|" hooks/qemu >"$dir/hook"
setsid scripts/with-libvirtd.sh --host test/fixtures/inventory/node.json --hook "$dir/hook" --socket-dir "$dir/libvirt" \
	sh -c "touch $dir/host-is-ready; exec sleep infinity" >"$dir/host.log" 2>&1 </dev/null &
echo $! >"$dir/host.pid"
wait_for libvirtd "$dir/host.log" test -e "$dir/host-is-ready"

say "vfio-warden, with a policy that enforces (policies/examples)"
WARDEN_POLICIES=$root/policies/examples \
	WARDEN_INVENTORY=$root/test/fixtures/inventory/node.json \
	WARDEN_LIBVIRT_SOCKET=$dir/libvirt/libvirt-sock \
	WARDEN_PROXY_SOCKET=$dir/libvirt-sock \
	WARDEN_PROXY_SOCKET_GROUP=root \
	WARDEN_HOOK_SOCKET=$dir/hook.sock \
	WARDEN_STATE_DIRECTORY=$dir/state \
	WARDEN_LISTEN=unix:$dir/api.sock \
	setsid node dist/main.js >"$dir/service.log" 2>&1 </dev/null &
echo $! >"$dir/service.pid"
wait_for vfio-warden "$dir/service.log" curl -fsS --unix-socket "$dir/api.sock" http://localhost/readyz
export WARDEN_SERVER="unix:$dir/api.sock"
wardenctl="node dist/cli/wardenctl.js"
$wardenctl host | sed -n '/^COMPONENT/,/^$/p'

proxy="qemu+unix:///system?socket=$dir/libvirt-sock"
direct="qemu+unix:///system?socket=$dir/libvirt/libvirt-sock"

say "virsh defines examples/q35-workstation.xml through the proxy, and starts it"
virsh --quiet --connect "$proxy" define examples/q35-workstation.xml
virsh --quiet --connect "$proxy" start workstation
echo "the assigned devices, as libvirt and the guest have them:"
virsh --quiet --connect "$proxy" dumpxml --xpath /domain/devices/hostdev/address workstation

say "Why"
$wardenctl explain workstation

say "A client that goes around the proxy meets the hook"
sed -e 's/>workstation</>around</' -e '/<uuid>/d' examples/q35-workstation.xml >"$dir/around.xml"
if virsh --quiet --connect "$direct" create "$dir/around.xml" >"$dir/around.log" 2>&1; then
	echo "it was not vetoed" >&2
	exit 1
fi
# The middle of libvirt's message is the hook's environment.
sed 's/Child process .* unexpected exit status/... exit status/' "$dir/around.log"

cat <<-END

	== It goes on running
	ask:    export WARDEN_SERVER=unix:$dir/api.sock
	        npm run --silent wardenctl -- explain workstation     (or: domains, decisions, events, devices, host)
	        curl --unix-socket $dir/api.sock http://localhost/v1/domains
	define: virsh --connect '$proxy' define FILE
	switch: npm run --silent wardenctl -- mode off
	stop:   scripts/demo.sh --stop
END
