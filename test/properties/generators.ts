import * as fc from 'fast-check';
import type { DecideInput } from '../../src/decision/decide-input.js';
import { DOMAIN_STATES, GUEST_HARDWARE } from '../../src/decision/decision.js';
import { escapeAttribute } from '../../src/domain-xml/insertion.js';
import { UNPROBED_HOST, type HostCapabilities } from '../../src/host/host-capabilities.js';
import { EFFECTS } from '../../src/mitigation/access-rules/access-rules.js';
import type { MechanismName } from '../../src/mitigation/mechanism.js';
import { Inventory } from '../../src/pci/inventory.js';
import { type PolicyRule, type RuleMatch } from '../../src/policy/policy-document.js';
import {
  ALLOWED_MECHANISMS,
  CHANGE_PERMISSIONS,
  KNOWLEDGE,
  MODES,
  UNCOVERED_ACTIONS,
} from '../../src/policy/policy-terms.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import { EXPOSURE_NAMES, type Exposure } from '../../src/risk/exposure.js';
import { HOST_FUNCTIONS, STOCK_QEMU } from './sample-host.js';

/**
 * Generators of what decide() is given: domains in many spellings, inventories, hosts, policies. All share one small set
 * of host functions, so that domains, inventories and rules meet.
 */

/** One that no inventory has. */
const UNKNOWN_SOURCE = '0000:f0:1f.7';

const source = fc.constantFrom(...HOST_FUNCTIONS.map(({ bdf }) => bdf as string), UNKNOWN_SOURCE);

/** Lines of XML with `'` as quotes, two spaces a level and no other `'` or `"`: see `spelled`. */
type Lines = string[];

const nested = (open: string, ...inner: Lines[]): Lines => [
  `<${open}>`,
  ...inner.flat().map((line) => `  ${line}`),
  `</${/^\S+/.exec(open)![0]}>`,
];

/** The same number as libvirt, people and other tools write it. */
const number = (value: number) => fc.constantFrom(`0x${value.toString(16).padStart(2, '0')}`, String(value));

/** A PCI address as an element; of the host where `bdf` is given, of the guest otherwise. */
const hostAddress = (bdf: string) => {
  const [domain, bus, slot, fn] = bdf.split(/[:.]/).map((part) => parseInt(part, 16)) as [
    number,
    number,
    number,
    number,
  ];
  return fc
    .tuple(number(domain), number(bus), number(slot), number(fn))
    .map(
      ([domain, bus, slot, fn]) =>
        `<address domain='${domain}' bus='${bus}' slot='${slot}' function='${fn}'/>`,
    );
};

const guestAddress = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Lines>([]) },
  {
    weight: 3,
    arbitrary: fc
      .record({ bus: fc.integer({ min: 1, max: 9 }), multifunction: fc.boolean() })
      .map(({ bus, multifunction }) => [
        `<address type='pci' domain='0x0000' bus='${bus}' slot='0x00' function='0x0'${multifunction ? " multifunction='on'" : ''}/>`,
      ]),
  },
  { weight: 1, arbitrary: fc.constant<Lines>(["<address type='unassigned'/>"]) },
  { weight: 1, arbitrary: fc.constant<Lines>(["<address type='pci'/>"]) },
);

const assignedDevice: fc.Arbitrary<Lines> = source.chain((bdf) =>
  fc
    .tuple(fc.constantFrom(0, 0, 0, 0, 1, 2, 3, 4), hostAddress(bdf), guestAddress)
    .map(([kind, at, guest]) => {
      switch (kind) {
        case 0:
          return nested("hostdev mode='subsystem' type='pci' managed='yes'", nested('source', [at]), guest);
        case 1:
          return nested(
            "interface type='hostdev'",
            ["<mac address='52:54:00:6d:90:02'/>"],
            nested('source', [at.replace('<address', "<address type='pci'")]),
            guest,
          );
        case 2:
          return nested(
            "interface type='network'",
            ["<source network='vf-pool'/>", "<model type='virtio'/>"],
            guest,
          );
        case 3:
          return nested(
            "hostdev mode='subsystem' type='mdev' model='vfio-pci'",
            nested('source', ["<address uuid='c2177883-f1bb-47f0-914d-32a22e3a8804'/>"]),
            guest,
          );
        default:
          return nested(
            "disk type='nvme' device='disk'",
            nested("source type='pci' managed='yes' namespace='1'", [at]),
            ["<target dev='vdn' bus='virtio'/>"],
          );
      }
    }),
);

const otherDevice: fc.Arbitrary<Lines> = fc.oneof(
  fc.constantFrom<Lines>(
    nested("interface type='user'", ["<model type='virtio'/>"]),
    ["<memballoon model='virtio'/>"],
    ["<controller type='usb' model='none'/>"],
    nested("rng model='virtio'", ["<backend model='random'>/dev/urandom</backend>"]),
    ["<!-- a comment with <hostdev type='pci'/> in it -->"],
    ["<serial type='pty'/>"],
    ["<x:device xmlns:x='urn:example:other' x:type='pci'/>"],
  ),
  fc
    .constantFrom('a', 'b', 'c')
    .map((letter) =>
      nested("disk type='file' device='disk'", [
        `<source file='/images/${letter}.qcow2'/>`,
        `<target dev='vd${letter}' bus='virtio'/>`,
      ]),
    ),
  fc
    .tuple(
      fc.integer({ min: 1, max: 9 }),
      fc.constantFrom('pcie-root-port', 'pcie-root-port', 'pcie-to-pci-bridge', 'dmi-to-pci-bridge'),
    )
    .map(([index, model]) => [`<controller type='pci' index='${index}' model='${model}'/>`]),
);

const QEMU_NAMESPACE = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";
const commandline = nested(
  'qemu:commandline',
  ["<qemu:arg value='-device'/>", "<qemu:arg value='vfio-pci,host=81:00.0,x-no-mmap=on'/>"],
  ["<qemu:arg value='-global'/>", "<qemu:arg value='vfio-pci.x-req=on'/>"],
);

const metadata = fc.constantFrom<Lines>(
  [],
  [],
  ['<metadata/>'],
  nested('metadata', ["<app:made xmlns:app='urn:example:app' by='portal'/>"]),
  ['<metadata>', '</metadata>'],
);

/** Names as people give them: with blanks, markup characters, other scripts. */
const name = fc
  .oneof(
    fc.constantFrom('guest', 'prod web 01', 'R&D <lab>', 'größe-测试-🚀'),
    fc.string({ minLength: 1, maxLength: 20 }),
  )
  .map((text) => text.replace(/[^\S ]|\p{C}/gu, '_').replaceAll(/["']/g, '_'));

const escapeText = (text: string) => escapeAttribute(text).replaceAll('>', '&gt;');

const device = fc.oneof(assignedDevice, otherDevice);

/** Of devices that libvirt would not accept together only the first: same guest address, index, name. */
function withoutClashes(devices: readonly Lines[]): Lines[] {
  const taken = new Set<string>();
  return devices.filter((device) => {
    const claims =
      device.join('\n').match(/type='pci' domain='0x0000' bus='\d'|index='\d'|dev='\w+'|<memballoon/g) ?? [];
    if (claims.some((claim) => taken.has(claim))) return false;
    for (const claim of claims) taken.add(claim);
    return true;
  });
}

const plainDomain: fc.Arbitrary<string> = fc
  .record({
    name,
    type: fc.constantFrom('kvm', 'qemu'),
    machine: fc.constantFrom(
      'q35',
      'q35',
      'q35',
      'pc-q35-7.2',
      'pc-q35-7.2',
      'pc-i440fx-7.2',
      undefined,
      'microvm',
    ),
    cdata: fc.boolean(),
    raw: fc.integer({ min: 0, max: 9 }).map((dice) => dice === 0),
    metadata,
    devices: fc.oneof(
      { weight: 1, arbitrary: fc.array(device, { maxLength: 8 }) },
      { weight: 4, arbitrary: fc.array(device, { maxLength: 10 }).map(withoutClashes) },
    ),
  })
  .map(({ name, type, machine, cdata, raw, metadata, devices }) =>
    nested(
      `domain type='${type}'${raw ? ` ${QEMU_NAMESPACE}` : ''}`,
      [`<name>${escapeText(name)}</name>`, '<uuid>5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c11</uuid>'],
      cdata ? ['<title><![CDATA[<devices> ]] & <hostdev>]]></title>'] : [],
      metadata,
      ['<memory>65536</memory>'],
      nested('os', [`<type arch='x86_64'${machine === undefined ? '' : ` machine='${machine}'`}>hvm</type>`]),
      nested('devices', ...devices),
      raw ? commandline : [],
    ).join('\n'),
  );

/** The same document as another tool may have written it. */
const spelled = (domain: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .record({
      text: domain,
      prologue: fc.constantFrom(
        '',
        '',
        "<?xml version='1.0' encoding='UTF-8'?>\n",
        '\ufeff',
        '<!-- dumped -->\n',
      ),
      quote: fc.constantFrom("'", '"'),
      indent: fc.constantFrom('  ', '\t', ''),
      lineEnd: fc.constantFrom('\n', '\n', '\r\n', ''),
      trailing: fc.constantFrom('', '\n', '\n<!-- end -->'),
    })
    .map(({ text, prologue, quote, indent, lineEnd, trailing }) =>
      (prologue + text + trailing)
        .replaceAll("'", quote)
        .replaceAll(/^(?: {2})+/gm, (blanks) => indent.repeat(blanks.length / 2))
        .replaceAll('\n', lineEnd),
    );

/** A domain document that libvirt could be given. */
export const domainXml = spelled(plainDomain);

/** Any part of the host functions, with and without the bytes of their config space. */
export const inventory: fc.Arbitrary<Inventory> = fc
  .array(fc.record({ listed: fc.boolean(), read: fc.boolean() }), {
    minLength: HOST_FUNCTIONS.length,
    maxLength: HOST_FUNCTIONS.length,
  })
  .map((choices) =>
    Inventory.of(
      HOST_FUNCTIONS.filter((_, at) => choices[at]!.listed).map((fn, at) => {
        const { configSpace, ...rest } = fn;
        return choices[at]!.read && configSpace ? { ...rest, configSpace: configSpace.slice() } : rest;
      }),
    ),
  );

const probe = fc.constantFrom<HostCapabilities['kernelGuard']>(
  { state: 'absent', detail: 'looked for, and not there' },
  { state: 'unknown', detail: 'not looked for' },
  { state: 'ready', detail: 'seen working' },
);

export const host: fc.Arbitrary<HostCapabilities> = fc.oneof(
  fc.constant({ ...UNPROBED_HOST, ...STOCK_QEMU }),
  fc.record({ guard: probe, parameters: probe, property: probe, preload: probe }).map((probes) => ({
    ...STOCK_QEMU,
    kernelGuard: probes.guard,
    kernelParameters: { ...probes.parameters, allowIds: ['8086:1592'] },
    qemuConfigFilter: { property: probes.property, preload: probes.preload },
  })),
);

const rule: fc.Arbitrary<PolicyRule> = fc.record(
  {
    name: fc.constantFrom('first', 'second'),
    mode: fc.constantFrom(...MODES, 'enforce' as const, 'enforce' as const),
    require: fc.oneof(
      fc.constant('risks' as const),
      fc.uniqueArray(fc.constantFrom(...EXPOSURE_NAMES), { maxLength: 4 }),
      fc.constant<Exposure[]>(['unassigned-extended']),
    ),
    mitigations: fc.oneof(
      fc.uniqueArray(fc.constantFrom(...ALLOWED_MECHANISMS)),
      fc.constantFrom<MechanismName[]>(['conventional-bus'], ['i440fx']),
    ),
    topologyChange: fc.constantFrom(...CHANGE_PERMISSIONS, 'always' as const),
    uncovered: fc.constantFrom(...UNCOVERED_ACTIONS, 'warn' as const),
    unassignedReads: fc.constantFrom(...EFFECTS),
    match: fc.constantFrom<RuleMatch>(
      { devices: [{ class: '03' }] },
      { devices: [{ bdf: '0000:81:00.0' }] },
      { domains: [{ name: '*guest*' }] },
      ...KNOWLEDGE.map((knownBy) => ({ risk: { knownBy } })),
    ),
  },
  { requiredKeys: ['name', 'mode', 'require', 'mitigations', 'topologyChange', 'uncovered'] },
);

export const policy: fc.Arbitrary<PolicySet> = fc
  .array(rule, { minLength: 1, maxLength: 3 })
  .map((rules) => ({
    revision: 'generated',
    rules: rules.map((rule) => ({ policy: 'generated', file: 'generated.yaml', rule })),
  }));

/** Everything that decide() takes but the risk database. */
export const decideInput: fc.Arbitrary<Omit<DecideInput, 'risks'>> = fc.record({
  xml: domainXml,
  inventory,
  host,
  policy,
  evaluatedAt: fc.constant('2026-01-01T00:00:00Z'),
  domainState: fc.constantFrom(...DOMAIN_STATES),
  guestHardware: fc.constantFrom(...GUEST_HARDWARE),
  ranRestricted: fc.constant([]),
  hostMode: fc.constantFrom(...MODES, 'enforce' as const, 'enforce' as const),
  hostdevNetworks: fc.constantFrom<string[]>([], ['vf-pool']),
});
