#!/bin/bash
# Runs QEMU's own tests on what build.sh has built: checkpatch on each patch, the unit test that the patches bring, and the qtests
# in which PCI has a part. Exits with 1 if one fails.
#   check.sh VERSION            of the QEMU with the patches: 7.2, 10.0 or 10.2
#   check.sh VERSION --stock    of the one without, to compare with
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${QEMU_CACHE:-/var/cache/vfio-warden/qemu}
version=${1:-}
kind=patched
[ "${2:-}" != --stock ] || kind=stock
tree=$cache/$kind-$version
[ -x "$tree/b/qemu-system-x86_64" ] || {
	echo "check.sh: there is no $tree: run build.sh first" >&2
	exit 2
}

qtests=(q35-test i440fx-test qos-test ioh3420-test i82801b11-test cxl-test pvpanic-pci-test display-vga-test
	device-introspect-test device-plug-test boot-order-test readconfig-test)
failed=0

if [ $kind = patched ]; then
	for patch in "$here/patches/$version"/000[1-9]*.patch; do
		report=$(perl "$tree/scripts/checkpatch.pl" --no-tree "$patch" 2>&1) || failed=1
		echo "checkpatch $(basename "$patch"): $(grep '^total:' <<< "$report")"
	done
fi

cd "$tree/b"
meson=$(command -v pyvenv/bin/meson || command -v /usr/bin/meson)
# The one that build.sh unpacks for QEMU 10.
[ "$version" = 7.2 ] || export PYTHONPATH=$cache/meson/usr/lib/python3/dist-packages
has() { ninja -t query "$1" > /dev/null 2>&1; }
targets=()
names=()
if has tests/unit/test-vfio-access-rules; then
	targets+=(tests/unit/test-vfio-access-rules)
	names+=(test-vfio-access-rules)
fi
for qtest in "${qtests[@]}"; do
	if has "tests/qtest/$qtest"; then
		targets+=("tests/qtest/$qtest")
		names+=("qtest-x86_64/$qtest")
	else
		echo "not built in this configuration: $qtest"
	fi
done

nice -n 15 ninja "${targets[@]}" > check-build.log 2>&1 || {
	grep -E 'error|FAILED' check-build.log | head -20 >&2
	exit 1
}
# A QEMU that runs where it was built looks for its firmware there only.
for firmware in share/qemu share/seabios lib/ipxe/qemu; do
	mkdir -p "$(dirname "qemu-bundle/usr/$firmware")"
	[ -e "qemu-bundle/usr/$firmware" ] || ln -s "/usr/$firmware" "qemu-bundle/usr/$firmware"
done
"$meson" test --no-rebuild --timeout-multiplier 5 --num-processes 1 "${names[@]}" > check.log 2>&1 || failed=1
grep -E '^ *[0-9]+/[0-9]+ |^(Ok|Fail|Timeout|Skipped|Expected Fail|Unexpected Pass):' check.log
exit $failed
