/** Longer names than any in pci.ids are cut: they go into messages and tables. */
const MAX_NAME_LENGTH = 200;

/**
 * Names from a pci.ids file (https://pci-ids.ucw.cz). The text has some 36,000 lines and a host some dozen vendors, so
 * nothing is parsed but the section of a vendor that is asked for, once. What the file does not know has no name.
 * All ids are lower-case hexadecimal without a prefix, as in `PciFunction`.
 */
export class PciIds {
  private readonly text: string;
  private readonly sections = new Map<string, Section | undefined>();

  /** @param text content of a pci.ids file; empty for a host without one */
  constructor(text: string) {
    // A line break in front, so that each section can be found as a line's start.
    this.text = `\n${text}`;
  }

  vendor(vendor: string): string | undefined {
    return this.section(vendor)?.name;
  }

  device(vendor: string, device: string): string | undefined {
    return this.section(vendor)?.entries.get(device);
  }

  /** The name of the board that carries the device. */
  subsystem(
    vendor: string,
    device: string,
    subsystemVendor: string,
    subsystemDevice: string,
  ): string | undefined {
    return this.section(vendor)?.entries.get(`${device}/${subsystemVendor} ${subsystemDevice}`);
  }

  /** The most specific name for a class of 6 digits: of its programming interface, its sub-class or its base class. */
  className(classCode: string): string | undefined {
    const section = this.section(`C ${classCode.slice(0, 2)}`);
    const subClass = classCode.slice(2, 4);
    return (
      section?.entries.get(`${subClass}/${classCode.slice(4, 6)}`) ??
      section?.entries.get(subClass) ??
      section?.name
    );
  }

  private section(id: string): Section | undefined {
    if (!/^([0-9a-f]{4}|C [0-9a-f]{2})$/.test(id)) return undefined;
    if (!this.sections.has(id)) this.sections.set(id, this.readSection(id));
    return this.sections.get(id);
  }

  private readSection(id: string): Section | undefined {
    const start = this.text.indexOf(`\n${id}  `);
    if (start === -1) return undefined;
    const entries = new Map<string, string>();
    let name: string | undefined;
    let parent = '';
    for (let at = start + 1; at < this.text.length;) {
      const newline = this.text.indexOf('\n', at);
      const end = newline === -1 ? this.text.length : newline;
      const line = this.text.slice(at, end);
      at = end + 1;
      if (name === undefined) name = clean(line.slice(id.length));
      else if (line.startsWith('\t')) {
        const entry = /^(\t\t?)([0-9a-f]{2,4}(?: [0-9a-f]{4})?) {2}(.*)$/.exec(line);
        if (!entry) continue;
        if (entry[1] === '\t') parent = entry[2]!;
        entries.set(entry[1] === '\t' ? parent : `${parent}/${entry[2]}`, clean(entry[3]!));
      } else if (line.trim() !== '' && !line.startsWith('#')) break;
    }
    return { name: name ?? '', entries };
  }
}

interface Section {
  name: string;
  /** By `device`, `device/subvendor subdevice`, `sub-class` or `sub-class/interface`. */
  entries: Map<string, string>;
}

/** The names end up in terminals: no control characters. */
function clean(name: string): string {
  return name
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_NAME_LENGTH);
}
