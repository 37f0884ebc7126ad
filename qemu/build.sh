#!/bin/bash
# Builds an x86_64 QEMU with the config filter's patches, out of Debian's source package.
#   build.sh VERSION            VERSION is 7.2 (bookworm), 10.0 (trixie) or 10.2 (sid)
#   build.sh VERSION --stock    the same without the patches, to compare with
#   build.sh VERSION --source   Debian's source package with the patches in it, for a build of the whole package
# Prints the path of what it made. Sources and builds are kept in $QEMU_CACHE (/var/cache/vfio-warden/qemu), and $QEMU_JOBS
# compilers run at a time (as many as there are processors).
# Runs on Debian 12 and later as root: it installs what the build needs.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${QEMU_CACHE:-/var/cache/vfio-warden/qemu}
version=${1:-}
what=${2:-patched}
case $version in
7.2) suite=bookworm ;;
10.0) suite=trixie ;;
10.2) suite=sid ;;
*)
	sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
esac
case $what in
patched | --stock | --source) ;;
*)
	echo "build.sh: $what is neither --stock nor --source" >&2
	exit 2
	;;
esac
patches=$here/patches/$version

install_build_packages() {
	local package missing=()
	for package in dpkg-dev gcc libglib2.0-dev libpixman-1-dev libfdt-dev zlib1g-dev meson ninja-build pkg-config \
		flex bison python3-venv python3-setuptools; do
		dpkg-query -W -f='${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
	done
	if [ ${#missing[@]} -gt 0 ]; then
		apt-get update -q
		DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
	fi
}

# apt with lists of its own: the host's sources need not have these suites.
private_apt() {
	local command=$1
	shift
	"$command" -q -o Dir::Etc::SourceList="$cache/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State::lists="$cache/apt/lists" -o Dir::Cache="$cache/apt" -o APT::Sandbox::User=root "$@"
}

fetch_source() {
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial" "$cache/src"
	ls "$cache/src"/qemu_"$version"[.+]*.dsc > /dev/null 2>&1 && return
	# In the form and with the mirror and key of the host's own sources.
	local mirror key found
	mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' \
		/etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2> /dev/null | head -1)
	key=/usr/share/keyrings/debian-archive-keyring.gpg
	for component in bookworm trixie sid; do
		echo "deb-src [signed-by=$key] $mirror $component main"
	done > "$cache/apt/sources.list"
	echo "deb [signed-by=$key] $mirror trixie main" >> "$cache/apt/sources.list"
	private_apt apt-get update
	found=$(private_apt apt-cache showsrc qemu | sed -n "s/^Version: \(1:$version[.+].*\)/\1/p" | sort -V | tail -1)
	[ -n "$found" ] || {
		echo "build.sh: $suite has no QEMU $version any more" >&2
		exit 1
	}
	(cd "$cache/src" && private_apt apt-get source --download-only "qemu=$found")
}

# QEMU 10 needs a newer meson than Debian 12 has; it is Python, and runs from where it is unpacked.
newer_meson() {
	[ "$version" != 7.2 ] || return 0
	if [ ! -x "$cache/meson/usr/bin/meson" ]; then
		(cd "$cache/apt/archives" && private_apt apt-get download meson)
		dpkg -x "$(ls "$cache"/apt/archives/meson_*_all.deb | tail -1)" "$cache/meson"
	fi
	export PATH=$cache/meson/usr/bin:$PATH PYTHONPATH=$cache/meson/usr/lib/python3/dist-packages
}

unpack() { # DIRECTORY: the source, anew if the patches are other than those that it has
	local directory=$1 wanted
	wanted=$(cat "$patches"/000[1-9]*.patch | sha256sum)
	[ "$what" != --stock ] || wanted=stock
	if [ "$(cat "$directory/.vfio-warden" 2> /dev/null)" = "$wanted" ]; then return; fi
	if [ ! -d "$directory" ]; then
		dpkg-source --no-check -x "$cache/src"/qemu_"$version"[.+]*.dsc "$directory.part" > /dev/null
		mv "$directory.part" "$directory"
		(cd "$directory" && git init -q && git add -f hw/vfio tests/unit docs/system && git -c user.name=build \
			-c user.email=build@localhost commit -qm "Debian's source")
	fi
	if [ "$wanted" != stock ]; then
		# Only what the patches touch is put back, so that a second build takes seconds.
		(cd "$directory" && git checkout -q -- . && git clean -fdq hw/vfio tests/unit docs/system &&
			cat "$patches"/000[1-9]*.patch | patch -s -p1)
	fi
	echo "$wanted" > "$directory/.vfio-warden"
}

build() { # DIRECTORY
	local options=(--target-list=x86_64-softmmu --without-default-features --enable-system --enable-tcg --enable-kvm
		--enable-pixman --disable-werror --disable-docs --disable-install-blobs --disable-user
		--prefix=/usr --firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu)
	if [ "$version" = 7.2 ]; then
		options=("${options[@]/--enable-pixman/--enable-fdt=system}")
		options+=(--meson=/usr/bin/meson)
	fi
	mkdir -p "$1/b"
	(
		cd "$1/b"
		[ -f build.ninja ] || ../configure "${options[@]}" > configure.log 2>&1 || {
			tail -20 configure.log >&2
			exit 1
		}
		nice -n 15 ninja ${QEMU_JOBS:+-j"$QEMU_JOBS"} qemu-system-x86_64 > ninja.log 2>&1 || {
			grep -E 'error|FAILED' ninja.log | head -20 >&2
			exit 1
		}
	)
	echo "$1/b/qemu-system-x86_64"
}

source_package() {
	local directory=$cache/source-$version
	rm -rf "$directory"
	mkdir -p "$directory"
	cd "$directory"
	dpkg-source --no-check -x "$cache/src"/qemu_"$version"[.+]*.dsc qemu > /dev/null
	cp "$cache/src"/qemu_"$version"[.+]*.orig.tar.* .
	cd qemu
	local patch name
	for patch in "$patches"/000[1-9]*.patch; do
		name=vfio-warden-$(basename "$patch")
		cp "$patch" "debian/patches/$name"
		echo "$name" >> debian/patches/series
		patch -s -p1 < "$patch"
	done
	local before maintainer
	before=$(dpkg-parsechangelog -S Version)
	maintainer='vfio-warden <dev@vfio-warden.dev>'
	{
		printf 'qemu (%s+warden1) UNRELEASED; urgency=medium\n\n' "$before"
		printf '  * vfio-pci: x-config-filter, x-config-filter-rules.\n\n'
		printf ' -- %s  %s\n\n' "$maintainer" "$(date -R)"
		cat debian/changelog
	} > changelog.new
	mv changelog.new debian/changelog
	cd ..
	dpkg-source -b qemu > dpkg-source.log 2>&1 || {
		tail -20 dpkg-source.log >&2
		exit 1
	}
	ls "$directory"/*+warden1.dsc
}

install_build_packages >&2
fetch_source >&2
newer_meson
case $what in
--source) source_package ;;
--stock)
	unpack "$cache/stock-$version" >&2
	build "$cache/stock-$version"
	;;
*)
	unpack "$cache/patched-$version" >&2
	build "$cache/patched-$version"
	;;
esac
