import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { PciIds } from './pci-ids.js';

/** Where distributions keep the file: pciutils of Debian, hwdata of Fedora and of newer Debian. */
export const PCI_IDS_PATHS = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'];

/** The file has 1.5 MB today. */
const MAX_BYTES = 16 * 1024 * 1024;

/**
 * Reads the first file that is there and is not absurdly large. Names are a convenience: without a file there are none,
 * and that is no error.
 */
export async function readPciIds(paths: readonly string[] = PCI_IDS_PATHS): Promise<PciIds> {
  for (const path of paths) {
    try {
      const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
      try {
        const stat = await file.stat();
        if (stat.isFile() && stat.size <= MAX_BYTES) return new PciIds(await file.readFile('utf8'));
      } finally {
        await file.close();
      }
    } catch {
      // The next one, then.
    }
  }
  return new PciIds('');
}
