#!/bin/sh
# Puts vfio-warden's hook where libvirt finds it, or takes it away again. Can be run any number of times.
#   install-hook.sh [--remove]
# It goes to /etc/libvirt/hooks/qemu.d, which libvirt (6.5 or later) runs after /etc/libvirt/hooks/qemu: a hook of somebody
# else's stays, and each has its say.
set -eu

hooks=/etc/libvirt/hooks
installed=$hooks/qemu.d/vfio-warden
configuration=/etc/vfio-warden/hook.conf

fail() {
	echo "install-hook.sh: $*" >&2
	exit 1
}

# Whether something in the hook's directories runs already: then libvirt looks there at each call.
has_hooks() {
	for hook in "$hooks/qemu" "$hooks"/qemu.d/*; do
		[ ! -f "$hook" ] || [ ! -x "$hook" ] || return 0
	done
	return 1
}

case "$#,${1:-}" in
0,) ;;
1,--remove)
	rm -f "$installed"
	rmdir "$hooks/qemu.d" 2>/dev/null || true
	echo "The hook is removed: libvirt does not run it again. $configuration stays."
	exit 0
	;;
*)
	echo 'usage: install-hook.sh [--remove]' >&2
	exit 2
	;;
esac

[ "$(id -u)" -eq 0 ] || fail 'it writes to /etc/libvirt: run it as root'
command -v perl >/dev/null || command -v curl >/dev/null || fail 'the hook needs Perl or curl: install one of them first'
source=$(dirname "$0")/../hooks/qemu
[ -f "$source" ] || fail "$source is missing"

found=no
! has_hooks || found=yes
mkdir -p "$hooks/qemu.d" "${configuration%/*}"
if [ ! -e "$configuration" ]; then
	cat >"$configuration" <<-'CONF'
		# For libvirt's hook, read at each call. KEY=VALUE, no quotes, no blanks.
		# What it does with a domain with assigned devices when vfio-warden does not answer: closed stops it, open lets it go.
		FAILURE=closed
	CONF
fi
# Moved into place, so that a domain that starts now finds the old hook or the new one, whole.
new=$(mktemp "$hooks/.vfio-warden.XXXXXX")
trap 'rm -f "$new"' EXIT
cp "$source" "$new"
chmod 0755 "$new"
mv "$new" "$installed"
trap - EXIT

echo "The hook is installed as $installed."
if [ "$found" = no ]; then
	echo 'libvirt had no hook for QEMU and looks for one only when it is reloaded: systemctl reload libvirtd (or virtqemud).'
fi
