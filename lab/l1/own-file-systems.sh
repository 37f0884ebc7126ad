# Directories of the host whose files need what an overlay over 9p lacks: locks, extended attributes, direct I/O.
for directory in /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt /var/lib/vfio-warden; do
	mkdir -p "$directory"
	mount -t tmpfs tmpfs "$directory"
done
