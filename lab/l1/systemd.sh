#!/bin/sh
# The same as a host that systemd boots, with Debian's own units for libvirt. Nothing else of the machine that lent its userland
# is started, and libvirt only by whoever has written its configuration.
#   systemd.sh PROJECT
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
. "$1/lab/l1/own-file-systems.sh"
# What others have left there is not systemd's to clean up.
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
hostname lab
rm -rf /etc/systemd/system/*.wants /etc/systemd/system/*.requires /usr/lib/systemd/system-generators/postgresql-generator
mkdir -p /etc/systemd/system/multi-user.target.wants
# A userland that was put together for the lab has none of its own.
[ -e /usr/bin/node ] || ln -s /machine/usr/bin/node /usr/bin/node
# There is no udev, and so no device that a console could wait for.
ln -sf /dev/null /etc/systemd/system/getty.target
ln -sf multi-user.target /etc/systemd/system/default.target
cat >/etc/systemd/system/lab-agent.service <<-UNIT
	[Unit]
	Description=the lab's agent
	[Service]
	ExecStart=/bin/sh $1/lab/l1/agent.sh $1
	# What it starts goes on.
	KillMode=process
UNIT
ln -s ../lab-agent.service /etc/systemd/system/multi-user.target.wants/
exec /lib/systemd/systemd
