/** Random domains for comparing with libvirt: valid to most of its rules, and the same for the same seed. */

/** Mulberry32: small, and good enough to mix devices. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NICS = [
  'virtio',
  'virtio',
  'virtio-transitional',
  'virtio-non-transitional',
  'e1000',
  'e1000e',
  'rtl8139',
  'ne2k_pci',
  undefined,
];
const SOUNDS = ['ich6', 'ich9', 'ac97', 'es1370', 'sb16', 'usb'];
const VIDEOS = ['vga', 'cirrus', 'qxl', 'virtio', 'bochs', 'none', 'ramfb'];
const SECOND_VIDEOS = ['qxl', 'virtio'];
const SCSI = ['virtio-scsi', 'lsilogic', undefined];
const USB = ['qemu-xhci', 'nec-xhci', 'piix3-uhci', 'ehci', 'pci-ohci', undefined];
const USB2 = ['ich9-ehci1', 'ich9-uhci1', 'ich9-uhci2', 'ich9-uhci3'];

/** A domain on q35 (even seeds) or i440fx (odd seeds). */
export function generateDomain(seed: number): string {
  const random = randomFrom(seed);
  const q35 = seed % 2 === 0;
  const chance = (probability: number) => random() < probability;
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;
  const times = (limit: number, make: (at: number) => string) =>
    Array.from({ length: below(limit + 1) }, (_, at) => make(at));
  const pci = (bus: number, slot: number, fn = 0, more = '') =>
    `<address type='pci' domain='0' bus='${bus}' slot='${slot}' function='${fn}'${more}/>`;
  // Explicit addresses are handed out once each; on a bus that may not exist or not suit libvirt refuses, which is fine.
  let nextSlot = 3 + below(5);
  const maybeAddress = (probability: number) => {
    if (!chance(probability)) return '';
    nextSlot += 1;
    return nextSlot < 0x19 ? pci(0, nextSlot) : '';
  };
  const modelAttribute = (model: string | undefined) => (model === undefined ? '' : ` model='${model}'`);

  const devices: string[] = [];
  devices.push(
    ...times(4, () => {
      const model = pick(NICS);
      return `<interface type='user'>${model ? `<model type='${model}'/>` : ''}${maybeAddress(0.1)}</interface>`;
    }),
  );
  const buses: [string, string, number][] = [
    ['virtio', 'vd', 5],
    ['scsi', 'sd', 10],
    q35 ? ['sata', 'hd', 8] : ['ide', 'hd', 4],
  ];
  for (const [bus, prefix, limit] of buses) {
    if (chance(0.5)) continue;
    // Not in order of their names: libvirt sorts.
    const letters = 'abcdefghij'.slice(0, below(limit) + 1).split('');
    for (const letter of letters.toSorted(() => random() - 0.5)) {
      const model =
        bus === 'virtio' && chance(0.2) ? pick([` model='virtio-transitional'`, ` model='virtio'`]) : '';
      devices.push(
        `<disk type='file' device='disk'${model}><source file='/nowhere/${prefix}${letter}'/>` +
          `<target dev='${prefix}${letter}' bus='${bus}'/>${bus === 'virtio' ? maybeAddress(0.1) : ''}</disk>`,
      );
    }
  }
  const kinds = times(5, () => {
    if (chance(0.15)) {
      return `<interface type='hostdev'><source><address type='pci' domain='0x7fff' bus='${below(255)}' slot='1'/></source>${maybeAddress(0.2)}</interface>`;
    }
    return `<hostdev mode='subsystem' type='pci'><source><address domain='0x7fff' bus='${below(255)}' slot='2' function='${below(8)}'/></source>${maybeAddress(0.2)}</hostdev>`;
  });
  devices.push(...kinds);
  if (chance(0.2)) {
    const slot = 0x19;
    for (const fn of [0, 1, 2]) {
      const more = fn === 0 ? ` multifunction='on'` : '';
      devices.push(
        `<hostdev mode='subsystem' type='pci'><source><address domain='0x7ffe' bus='1' slot='0' function='${fn}'/></source>${pci(0, slot, fn, more)}</hostdev>`,
      );
    }
  }
  if (chance(0.1)) {
    devices.push(
      `<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='53764d0e-85a0-42b4-af5c-${String(seed).padStart(12, '0')}'/></source></hostdev>`,
    );
  }
  if (chance(0.1)) {
    devices.push(
      ...times(
        3,
        (at) =>
          `<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='0' unit='${at}'/></source></hostdev>`,
      ),
    );
  }
  devices.push(...times(2, () => `<sound model='${pick(SOUNDS)}'>${maybeAddress(0.1)}</sound>`));
  if (chance(0.5)) devices.push(`<graphics type='vnc'/>`);
  if (chance(0.5)) {
    const first = pick(VIDEOS);
    devices.push(`<video><model type='${first}' primary='yes'/></video>`);
    if (first !== 'none' && first !== 'ramfb') {
      devices.push(...times(2, () => `<video><model type='${pick(SECOND_VIDEOS)}'/></video>`));
    }
  }
  devices.push(
    ...times(
      2,
      () => `<rng model='${pick(['virtio', 'virtio-transitional'])}'><backend model='random'/></rng>`,
    ),
  );
  if (chance(0.4)) devices.push(`<memballoon model='${pick(['none', 'virtio', 'virtio-transitional'])}'/>`);
  if (chance(0.3)) devices.push(`<watchdog model='${pick(['i6300esb', 'ib700'])}'/>`);
  devices.push(...times(2, () => `<input type='${pick(['mouse', 'keyboard', 'tablet'])}' bus='virtio'/>`));
  if (chance(0.2)) devices.push(`<serial type='pty'><target type='pci-serial'/></serial>`);
  if (chance(0.2))
    devices.push(`<channel type='unix'><target type='virtio' name='org.example.0'/></channel>`);
  if (chance(0.2)) devices.push(`<vsock model='virtio'><cid auto='yes'/></vsock>`);
  if (chance(0.1))
    devices.push(`<shmem name='shared'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>`);
  if (chance(0.1))
    devices.push(`<filesystem type='mount'><source dir='/nowhere'/><target dir='tag'/></filesystem>`);

  const used = new Set<number>([0]);
  // A controller without an index would become index 0 where the root is not written.
  const writesRoot = chance(0.4);
  const index = () => {
    if (writesRoot && chance(0.4)) return '';
    let candidate = 1 + below(6);
    while (used.has(candidate)) candidate += 1;
    used.add(candidate);
    return ` index='${candidate}'`;
  };
  const controller = (type: string, at: string, model: string | undefined, address = '') =>
    `<controller type='${type}'${at}${modelAttribute(model)}>${address}</controller>`;
  if (chance(0.3))
    devices.push(
      ...times(2, (at) =>
        controller('scsi', chance(0.5) ? '' : ` index='${at}'`, pick(SCSI), maybeAddress(0.1)),
      ),
    );
  if (chance(0.2)) devices.push(controller('virtio-serial', '', undefined));
  if (chance(0.4))
    devices.push(controller('usb', chance(0.5) ? '' : ` index='0'`, pick(USB), maybeAddress(0.1)));
  else if (chance(0.3)) {
    // The order and the companions vary; without an index libvirt groups them.
    const at = chance(0.5) ? '' : ` index='${below(2)}'`;
    const parts = USB2.filter((model) => model === 'ich9-ehci1' || chance(0.8));
    devices.push(...parts.map((model) => controller('usb', at, model)));
  } else if (chance(0.2)) devices.push(controller('usb', ` index='0'`, 'none'));
  if (chance(0.6)) {
    if (writesRoot) devices.push(controller('pci', ` index='0'`, q35 ? 'pcie-root' : 'pci-root'));
    if (q35) {
      devices.push(...times(6, () => controller('pci', index(), 'pcie-root-port', maybeAddress(0.2))));
      if (chance(0.4)) devices.push(controller('pci', index(), 'pcie-to-pci-bridge'));
      if (chance(0.3)) devices.push(controller('pci', index(), 'dmi-to-pci-bridge', maybeAddress(0.2)));
    }
    if (chance(0.4)) devices.push(controller('pci', index(), 'pci-bridge', q35 ? '' : maybeAddress(0.3)));
  }
  if (chance(0.15)) {
    // On a bus that the document does not declare: libvirt adds those up to it.
    const bus = 1 + below(8);
    devices.push(`<interface type='user'><model type='virtio'/>${pci(bus, q35 ? 0 : 5)}</interface>`);
  }
  if (chance(0.1))
    devices.push(
      ...Array.from(
        { length: 15 + below(20) },
        () => `<interface type='user'><model type='virtio'/></interface>`,
      ),
    );
  const shuffled = devices.map((device) => ({ device, at: random() })).toSorted((a, b) => a.at - b.at);
  return [
    `<domain type='qemu'>`,
    `<name>generated-${seed}</name>`,
    `<memory>262144</memory>`,
    `<os><type arch='x86_64' machine='${q35 ? 'q35' : 'pc'}'>hvm</type></os>`,
    '<devices>',
    ...shuffled.map(({ device }) => device),
    '</devices>',
    '</domain>',
  ].join('\n');
}
