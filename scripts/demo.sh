#!/bin/sh
# The main job on real input: a q35 domain with an NVMe controller, a GPU with its audio function and a NIC goes through
# the service, and what comes out is defined on a real libvirtd. The devices come from a bundled inventory, since few
# machines have them.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

scripts/setup.sh

work=$(mktemp -d)
service=""
stop() {
	[ -n "$service" ] && kill "$service" 2>/dev/null || true
	rm -rf "$work"
}
trap stop EXIT

say() { printf '\n== %s\n' "$*"; }

say "The service, with a policy that enforces (policies/examples)"
WARDEN_POLICIES=$root/policies/examples \
WARDEN_INVENTORY=$root/test/fixtures/inventory/node.json \
WARDEN_LISTEN=unix:$work/api.sock \
	node dist/main.js >"$work/service.log" 2>&1 &
service=$!
tries=100
until curl -fs --unix-socket "$work/api.sock" http://localhost/healthz >/dev/null 2>&1; do
	tries=$((tries - 1))
	if [ "$tries" -eq 0 ] || ! kill -0 "$service" 2>/dev/null; then
		cat "$work/service.log" >&2
		exit 1
	fi
	sleep 0.1
done
curl -fs --unix-socket "$work/api.sock" http://localhost/healthz | jq -c '.details.basis'

say "The domain goes in (examples/q35-workstation.xml), a protected one comes out"
jq -n --rawfile xml examples/q35-workstation.xml '{xml: $xml, domainState: "new"}' |
	curl -fsS --unix-socket "$work/api.sock" -H 'content-type: application/json' --data-binary @- \
		http://localhost/v1/evaluate >"$work/answer.json"
jq -j .xml "$work/answer.json" >"$work/restricted.xml"
diff -u --label original --label restricted examples/q35-workstation.xml "$work/restricted.xml" || true

say "Why"
jq -r .explanation "$work/answer.json"

say "A real libvirtd takes it"
scripts/with-libvirtd.sh sh -c '
	set -e
	virsh --quiet version --daemon | sed -n "s/^Running/running/p"
	virsh --quiet define "$1"
	name=$(jq -r .decision.domain.name "$2")
	virsh --quiet dumpxml --inactive "$name" >"$3"
	echo "the assigned devices, as libvirt keeps them for the guest:"
	virsh --quiet dumpxml --inactive --xpath /domain/devices/hostdev/address "$name"
' sh "$work/restricted.xml" "$work/answer.json" "$work/defined.xml"
say "Deciding again about what libvirt made of it changes nothing"
node dist/cli/wardenctl.js evaluate --new --xml --policies policies/examples \
	--inventory test/fixtures/inventory/node.json "$work/defined.xml" | cmp - "$work/defined.xml"
echo "unchanged, byte for byte"

say "Taking it back gives the original"
node dist/cli/wardenctl.js undo "$work/restricted.xml" | cmp - examples/q35-workstation.xml
echo "identical, byte for byte"
