import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What the drop-ins of takeover.sh rely on: libvirt knows its sockets by the name of their unit, not by their path. */
const SCRIPT = `
set -eu
kill "$(cat /run/libvirt/libvirtd.pid)"
while [ -e /run/libvirt/libvirtd.pid ]; do sleep 0.1; done
mkdir -m 0700 /run/libvirt/upstream
systemd-socket-activate --fdname=libvirtd.socket:libvirtd-ro.socket \
	--listen=/run/libvirt/upstream/libvirt-sock --listen=/run/libvirt/upstream/libvirt-sock-ro libvirtd 2>/dev/null &
tries=50
until [ -S /run/libvirt/upstream/libvirt-sock-ro ]; do
	tries=$((tries - 1))
	[ "$tries" -gt 0 ]
	sleep 0.1
done
uri=qemu+unix:///system?socket=/run/libvirt/upstream/libvirt-sock
echo '<domain type="qemu"><name>a</name><memory>9999</memory><os><type>hvm</type></os></domain>' >/run/libvirt/a.xml
virsh --connect "$uri" define /run/libvirt/a.xml
virsh --connect "$uri-ro" undefine a 2>&1 || true
test -e /run/libvirt/libvirt-sock && echo "the old name is back" || echo "the old name is free"
kill $!
`;

it('libvirtd takes its sockets from systemd under another path, the read-only one as such', () => {
  const output = execFileSync(`${root}scripts/with-libvirtd.sh`, ['sh', '-c', SCRIPT], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  expect(output).toContain("Domain 'a' defined");
  expect(output).toContain('read only access');
  expect(output).toContain('the old name is free');
}, 70_000);
