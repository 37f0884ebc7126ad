#!/bin/sh
# Builds vfio-pci-core and vfio-pci with the RFC's parameters for a kernel of Debian, out of tree.
#   build.sh RELEASE DIRECTORY     RELEASE as uname -r says it; the modules are put into DIRECTORY
# Runs on the Debian that the kernel is of, as root: it installs the kernel's headers, its source, and a compiler.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
release=${1:-}
out=${2:-}
series=$(echo "$release" | sed -n 's/^\([0-9]*\.[0-9]*\)\..*/\1/p')
patch=$here/patches/$series.patch
if [ -z "$out" ] || [ ! -f "$patch" ]; then
	sed -n '2,4s/^# \{0,1\}//p' "$0" >&2
	echo "There are patches for $(cd "$here/patches" && echo *.patch | sed 's/\.patch//g')." >&2
	exit 2
fi

headers=linux-headers-$release
for package in "$headers" "linux-source-$series" make patch xz-utils; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="${missing:-} $package"
done
if [ -n "${missing:-}" ]; then
	apt-get update -q >&2
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing >&2
fi
# A source of another version than the running kernel's would build, and not fit.
built_of=$(dpkg-query -W -f='${source:Version}' "$headers")
source=$(dpkg-query -W -f='${source:Version}' "linux-source-$series")
if [ "$built_of" != "$source" ]; then
	echo "build.sh: $headers is of $built_of, linux-source-$series of $source: install the same of both" >&2
	exit 1
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
tar -C "$work" -xJf "/usr/src/linux-source-$series.tar.xz" --strip-components=1 \
	"linux-source-$series/drivers/vfio/pci" "linux-source-$series/include/uapi/linux/audit.h"
patch -s -d "$work" -p1 <"$patch"
# The drivers below need their own folders of the kernel.
sed -i '/\/$/d' "$work/drivers/vfio/pci/Makefile"
# Kconfig and the kernel's headers have no say out of tree.
make -s -C "/lib/modules/$release/build" M="$work/drivers/vfio/pci" \
	KCFLAGS='-DCONFIG_VFIO_PCI_UNASSIGNED_ACCESS_AUDIT=1 -DAUDIT_VFIO=1340' modules >&2
mkdir -p "$out"
cp "$work/drivers/vfio/pci/vfio-pci-core.ko" "$work/drivers/vfio/pci/vfio-pci.ko" "$out/"
