import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const PATCHES = 'qemu/patches';
const FILTER = 'qemu/filter';
/** What both carriers judge by: a change on one side alone would give a guest's access two verdicts. */
const SHARED = ['access-rules.c', 'access-rules.h', 'config-layout.c', 'config-layout.h'];

/** A file that a series of patches adds, whole. */
function addedBy(version: string, path: string): string {
  const folder = join(PATCHES, version);
  const patches = readdirSync(folder).filter((name) => name.endsWith('.patch'));
  const parts = patches.flatMap((name) => readFileSync(join(folder, name), 'utf8').split(/^diff --git /m));
  const part = parts.find((text) => text.includes(`\n+++ b/${path}\n`));
  if (part === undefined) throw new Error(`no patch for ${version} adds ${path}`);
  const lines = part.slice(part.indexOf('\n@@ ')).split('\n');
  return lines.flatMap((line) => (line.startsWith('+') ? [line.slice(1)] : [])).join('\n');
}

/** The code without what QEMU has its own way for: the licence's line, includes, and the guard of a header. */
function code(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => !/^#include |SPDX-License-Identifier|^#(ifndef|define|endif).*_H$|^#endif$/.test(line))
    .filter((line) => line.trim() !== '');
}

describe.each(readdirSync(PATCHES))('the patches for QEMU %s', (version) => {
  it.each(SHARED)('have the %s of the filter', (name) => {
    const ours = code(readFileSync(join(FILTER, name), 'utf8'));
    expect(ours.length).toBeGreaterThan(10);
    expect(code(addedBy(version, `hw/vfio/pci-${name}`))).toEqual(ours);
  });

  it('say the licence that QEMU has in each file that they add', () => {
    for (const name of [...SHARED, 'config-filter.c']) {
      expect(addedBy(version, `hw/vfio/pci-${name}`)).toContain(
        'SPDX-License-Identifier: GPL-2.0-or-later\n',
      );
    }
  });
});
