#!/bin/sh
# Makes the tree that scripts/with-modular-libvirt.sh runs virtqemud and virtnetworkd in:
#   test/modular/make-tree.sh TREE
# Debian builds no modular daemons, in Debian 13 neither: it has libvirtd alone. So this takes libvirt and QEMU of Debian 13
# as they are, and builds the two daemons' main programs (seven files each) from the source of the same version, linked
# to Debian's libvirt.so and running Debian's drivers. Needs root and Debian's mirror. Does nothing where the tree is there.
set -eu

tree=${1:?"the tree to make"}
mirror=http://deb.debian.org/debian
# A network driver without a firewall program does not start; the links that make iptables one come with installation.
packages="libvirt-daemon-driver-qemu libvirt-daemon-driver-network libvirt-clients qemu-system-x86 nftables coreutils dash
  base-files"
build_packages="gcc libc6-dev meson ninja-build pkgconf perl python3 xsltproc libxml2-utils libglib2.0-dev libgnutls28-dev
  libxml2-dev libtirpc-dev libjson-c-dev gettext coreutils dash sed grep gawk xz-utils tar base-files"

parent=$(dirname "$tree")
mkdir -p "$parent"
exec 9>"$parent/lock"
flock 9
[ ! -x "$tree/usr/sbin/virtnetworkd" ] || exit 0
work=$(mktemp -d "$parent/work.XXXXXX")
trap 'rm -rf "$work"' EXIT

mkdir -p "$work/etc/apt.conf.d" "$work/etc/preferences.d" "$work/state/lists/partial"
# As on a system without any package, so that nothing of the host's state goes in.
: >"$work/state/status"
signed="[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main"
printf 'deb %s\ndeb-src %s\n' "$signed" "$signed" >"$work/etc/sources.list"
cat >"$work/apt.conf" <<-CONF
	Dir::Etc "$work/etc";
	Dir::State "$work/state";
	Dir::State::status "$work/state/status";
	Dir::Cache "$work/cache";
	APT::Install-Recommends "false";
	APT::Sandbox::User "root";
	Acquire::Languages "none";
	Acquire::Retries "3";
CONF
export APT_CONFIG="$work/apt.conf"
apt-get -qq update

# Unpacked and not installed: the packages' scripts would configure a system that nobody boots.
unpack() {
	into=$1
	shift
	mkdir -p "$work/cache/archives/partial" "$into"
	apt-get -qq --yes --download-only install "$@"
	# It has the links from /bin and /lib to /usr, which must be there before what is unpacked through them.
	dpkg-deb --extract "$work"/cache/archives/base-files_*.deb "$into"
	for package in "$work"/cache/archives/*.deb; do
		dpkg-deb --extract "$package" "$into"
	done
	rm -rf "$work/cache/archives"
}
# shellcheck disable=SC2086
unpack "$work/tree" $packages
# shellcheck disable=SC2086
unpack "$work/build" $build_packages

source=$work/build/root/libvirt
mkdir -p "$source"
# Checked against apt's signed index; not by `apt-get source`, which wants the packaging as well, and some mirrors lack that.
apt-cache showsrc --only-source libvirt | sed -n '/^Checksums-Sha256:/,/^[^ ]/s/^ \([0-9a-f]*\) [0-9]* \(.*\.orig\.tar\.xz\)$/\1  \2/p' |
	sort -u >"$work/sums"
orig=$(sed 's/.* //' "$work/sums")
curl --silent --show-error --fail --retry 3 --max-time 120 --output "$work/$orig" "$mirror/pool/main/libv/libvirt/$orig"
(cd "$work" && sha256sum --check --strict --quiet sums)
tar --extract --file "$work/$orig" --strip-components 1 --directory "$source"
cp "$work"/tree/usr/lib/x86_64-linux-gnu/libvirt*.so.0 "$work/build/root"
cat >"$work/build/root/build" <<-'BUILD'
	set -eu
	export PATH=/usr/bin LC_ALL=C.UTF-8
	cd /root/libvirt
	meson setup out --prefix=/usr --sysconfdir=/etc --localstatedir=/var -Drunstatedir=/run -Dauto_features=disabled \
		-Ddriver_remote=enabled -Ddriver_libvirtd=enabled -Ddriver_qemu=enabled -Ddriver_network=enabled \
		-Djson_c=enabled -Dtests=disabled -Ddocs=disabled
	cd out
	ninja -t targets all >/root/targets
	ninja src/admin/libvirt_admin_driver.a \
		$(sed -n 's#^\(src/virt\(qemu\|network\)d\.p/[^:]*\.o\):.*#\1#p' /root/targets)
	for daemon in virtqemud virtnetworkd; do
		gcc -pie -rdynamic -o "/root/$daemon" "src/$daemon.p"/*.o src/admin/libvirt_admin_driver.a \
			-L/root -l:libvirt.so.0 -l:libvirt-lxc.so.0 -l:libvirt-qemu.so.0 -Wl,--allow-shlib-undefined \
			-lgnutls -lglib-2.0 -lgobject-2.0 -lgio-2.0 -lxml2 -ltirpc
	done
BUILD
# shellcheck disable=SC2016
if ! unshare --mount --propagation private -- sh -euc '
	mount --rbind /dev "$1/dev"
	mount --rbind /proc "$1/proc"
	exec chroot "$1" /bin/sh /root/build' sh "$work/build" >"$work/log" 2>&1; then
	tail -n 20 "$work/log" >&2
	exit 1
fi
install -m 0755 "$work/build/root/virtqemud" "$work/build/root/virtnetworkd" "$work/tree/usr/sbin"

# What the daemons look up although they are told to use root.
printf 'root:x:0:0:root:/root:/bin/sh\nlibvirt-qemu:x:64055:104::/nonexistent:/usr/sbin/nologin\n' >"$work/tree/etc/passwd"
printf 'root:x:0:\nkvm:x:104:\nlibvirt-qemu:x:64055:\n' >"$work/tree/etc/group"
chmod 0755 "$work/tree"
rm -rf "$tree"
mv "$work/tree" "$tree"
