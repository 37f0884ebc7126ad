/**
 * Raw commands for QEMU's monitor (`virsh qemu-monitor-command`). Libvirt does not know what they do to a domain, and so
 * neither do we: a device that one of them adds is in no XML.
 */

/** HMP commands that add a device. */
const ADDS_DEVICE = /\bdevice_add\b/;
/** The models of QEMU that stand for a host function: vfio-pci and all that are made of it. */
const VFIO = /vfio/i;
/** Deeper nesting than any command has. */
const MAX_DEPTH = 64;

/** Why a command may not pass; undefined for one that may. */
export function whyRefused(command: string): string | undefined {
  const parsed = parse(command);
  if (parsed === undefined) return whyRefusedText(command);
  return addsDevice(parsed, 0)
    ? 'it adds a vfio device past libvirt, so no decision could be made about it'
    : undefined;
}

/** HMP, or JSON that only QEMU's and libvirt's own lenient parsers take for JSON. */
function whyRefusedText(command: string): string | undefined {
  if (ADDS_DEVICE.test(command) && VFIO.test(command)) {
    return 'it adds a vfio device past libvirt, so no decision could be made about it';
  }
  // With an escape in it, a text that is no strict JSON could spell the same in a way that we do not see.
  if (command.includes('{') && command.includes('\\')) {
    return 'it is no strict JSON and has escapes in it, so what it adds cannot be told';
  }
  return undefined;
}

function parse(command: string): unknown {
  try {
    return JSON.parse(command);
  } catch {
    return undefined;
  }
}

/** Whether some part of a QMP command adds a vfio device, also inside `human-monitor-command`. */
function addsDevice(value: unknown, depth: number): boolean {
  if (depth > MAX_DEPTH) return true;
  if (Array.isArray(value)) return value.some((entry) => addsDevice(entry, depth + 1));
  if (value === null || typeof value !== 'object') return false;
  const command = value as { execute?: unknown; 'exec-oob'?: unknown; arguments?: unknown };
  const name = command.execute ?? command['exec-oob'];
  const text = JSON.stringify(command.arguments ?? null);
  if (name === 'device_add' && VFIO.test(text)) return true;
  if (name === 'human-monitor-command' && ADDS_DEVICE.test(text) && VFIO.test(text)) return true;
  return Object.values(value).some((entry) => addsDevice(entry, depth + 1));
}
