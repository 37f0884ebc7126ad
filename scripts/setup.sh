#!/bin/sh
# Installs what vfio-warden needs on Debian 12 with Node 20, and builds it. Does nothing that is done already.
#   setup.sh [PACKAGE...]    more Debian packages to install
set -eu
cd "$(dirname "$0")/.."

# python3-libvirt and python3-lxml are used by tests only: they ask the real libvirt and libxml2.
packages="qemu-system-x86 qemu-utils libvirt-daemon-system libvirt-clients python3-libvirt python3-lxml
  pci.ids curl jq gcc g++ make python3 git openssh-client"
missing=""
for package in $packages "$@"; do
	dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
if [ -n "$missing" ]; then
	apt-get update -q
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi

if [ ! -f node_modules/.package-lock.json ] || [ -n "$(find package-lock.json -newer node_modules/.package-lock.json 2>/dev/null)" ]; then
	# Not `npm ci`: a registry that lacks the binaries of other platforms leaves those optional packages out of the lock
	# file, and `npm ci` refuses that. The versions are the lock file's all the same.
	npm install --no-save --no-fund --no-audit
	touch node_modules/.package-lock.json
fi
npm run --silent build
