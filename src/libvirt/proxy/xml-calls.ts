/**
 * Every call of the remote protocol that brings XML into libvirt (`src/remote/remote_protocol.x`, numbers are stable), and
 * where in its arguments the XML is.
 */

/** What a piece of XML is, and so what may be decided about it. */
export type XmlRole = 'domain' | 'device' | 'detached-device' | 'snapshot';

/** One argument, as XDR has it; `xml` marks the one that is looked at. */
export type Argument =
  | { type: 'domain-ref' | 'string' | 'optional-string' | 'opaque' | 'u64' | 'flags' }
  | { type: 'xml' | 'optional-xml'; role: XmlRole }
  /** Typed parameters; those of the given names are domain XML. */
  | { type: 'parameters'; xml: readonly string[] };

export interface XmlCall {
  /** What the decision's occasion says. */
  operation: string;
  arguments: readonly Argument[];
  /** Whether the guest may see other hardware afterwards: not where it comes with its memory. */
  guestHardware: 'may-change' | 'fixed';
}

const domain: Argument = { type: 'domain-ref' };
const string: Argument = { type: 'string' };
const optional: Argument = { type: 'optional-string' };
const opaque: Argument = { type: 'opaque' };
const u64: Argument = { type: 'u64' };
const flags: Argument = { type: 'flags' };
const xml = (role: XmlRole): Argument => ({ type: 'xml', role });
const optionalXml: Argument = { type: 'optional-xml', role: 'domain' };
/** `VIR_MIGRATE_PARAM_DEST_XML`, `VIR_MIGRATE_PARAM_PERSIST_XML` */
const migration: Argument = { type: 'parameters', xml: ['destination_xml', 'persistent_xml'] };
/** `VIR_DOMAIN_SAVE_PARAM_DXML` */
const saving: Argument = { type: 'parameters', xml: ['dxml'] };

function call(
  operation: string,
  guestHardware: XmlCall['guestHardware'],
  ...args: readonly Argument[]
): XmlCall {
  return { operation, guestHardware, arguments: args };
}

/** Arguments after the last that we read are left out: they are copied as they are. */
export const XML_CALLS: ReadonlyMap<number, XmlCall> = new Map([
  [8, call('attach', 'may-change', domain, xml('device'))],
  [10, call('create', 'may-change', xml('domain'))],
  [11, call('define', 'may-change', xml('domain'))],
  [13, call('detach', 'may-change', domain, xml('detached-device'))],
  [108, call('migrate', 'fixed', optional, u64, optional, u64, xml('domain'))],
  [148, call('migrate', 'fixed', u64, optional, u64, xml('domain'))],
  [160, call('attach', 'may-change', domain, xml('device'), flags)],
  [161, call('detach', 'may-change', domain, xml('detached-device'), flags)],
  [174, call('update', 'may-change', domain, xml('device'), flags)],
  [185, call('snapshot', 'fixed', domain, xml('snapshot'))],
  [213, call('migrate', 'fixed', domain, optionalXml)],
  [214, call('migrate', 'fixed', opaque, optional, u64, optional, u64, xml('domain'))],
  [215, call('migrate', 'fixed', opaque, u64, optional, u64, xml('domain'))],
  [216, call('migrate', 'fixed', domain, optionalXml)],
  [232, call('save', 'fixed', domain, string, optionalXml)],
  [233, call('restore', 'fixed', string, optionalXml)],
  [236, call('save-image', 'fixed', string, xml('domain'))],
  [302, call('migrate', 'fixed', domain, migration)],
  [303, call('migrate', 'fixed', migration)],
  [304, call('migrate', 'fixed', migration)],
  [305, call('migrate', 'fixed', domain, optional, migration)],
  [309, call('create', 'may-change', xml('domain'))],
  [345, call('block-copy', 'may-change', domain, string, xml('device'))],
  [350, call('define', 'may-change', xml('domain'))],
  [389, call('managed-save', 'fixed', domain, optionalXml)],
  [411, call('checkpoint', 'fixed', domain, xml('snapshot'))],
  [440, call('save', 'fixed', domain, saving)],
  [441, call('restore', 'fixed', saving)],
]);

/** `REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD`: an ordinary call whose answer brings a descriptor, which cannot pass. */
export const OPEN_GRAPHICS_FD = 343;

/** `QEMU_PROC_DOMAIN_MONITOR_COMMAND`, `QEMU_PROC_DOMAIN_MONITOR_COMMAND_WITH_FILES` */
export const MONITOR_COMMANDS: ReadonlySet<number> = new Set([1, 7]);
