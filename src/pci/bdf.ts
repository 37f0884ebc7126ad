/** A host PCI function's address in the form `dddd:bb:ss.f`, lower-case hexadecimal, always with its domain. */
export type Bdf = string & { readonly __brand: 'Bdf' };

const BDF = /^(?:([0-9a-f]{1,8}):)?([0-9a-f]{1,2}):([0-9a-f]{1,2})\.([0-7])$/i;

export interface BdfParts {
  /** 0 to 0xffffffff; Linux allows more than 16 bits for VMD and Hyper-V domains. */
  domain: number;
  /** 0 to 0xff. */
  bus: number;
  /** 0 to 0x1f. */
  slot: number;
  /** 0 to 7. */
  function: number;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

/** Formats an address as sysfs names it (`%04x:%02x:%02x.%d`). */
export function formatBdf(parts: BdfParts): Bdf {
  return `${hex(parts.domain, 4)}:${hex(parts.bus, 2)}:${hex(parts.slot, 2)}.${parts.function}` as Bdf;
}

/** Parses `[domain:]bus:slot.function` in hexadecimal, as lspci and sysfs write it; undefined when it is none. */
export function parseBdf(text: string): Bdf | undefined {
  const match = BDF.exec(text);
  if (!match) return undefined;
  const parts = {
    domain: parseInt(match[1] ?? '0', 16),
    bus: parseInt(match[2]!, 16),
    slot: parseInt(match[3]!, 16),
    function: Number(match[4]),
  };
  return parts.slot > 0x1f ? undefined : formatBdf(parts);
}

/** Whether two functions sit in the same slot, that is, are functions of one multi-function device. */
export function sameSlot(a: Bdf, b: Bdf): boolean {
  return a.slice(0, -2) === b.slice(0, -2);
}
