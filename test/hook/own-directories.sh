#!/bin/sh
# Runs a command where the directories of vfio-warden and its hook are the command's own, in a private mount namespace.
#   own-directories.sh COMMAND [ARGUMENT...]
# /etc and /var/lib are seen through an overlay, so that nothing needs to be made on the machine itself.
set -eu
if [ "${WARDEN_OWN_DIRECTORIES:-}" != yes ]; then
	WARDEN_OWN_DIRECTORIES=yes exec unshare --mount --propagation private -- "$0" "$@"
fi
unset WARDEN_OWN_DIRECTORIES
mount -t tmpfs -o mode=0755 tmpfs /run
for directory in etc var/lib; do
	layers=/run/layers/$directory
	mkdir -p "$layers/upper" "$layers/work"
	mount -t overlay -o "lowerdir=/$directory,upperdir=$layers/upper,workdir=$layers/work" overlay "/$directory"
done
mkdir -p /etc/vfio-warden /run/vfio-warden /var/lib/vfio-warden
exec "$@"
