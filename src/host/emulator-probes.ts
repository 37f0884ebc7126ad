import { stat } from 'node:fs/promises';

/**
 * What was found out about programs, kept for as long as the file is the same one: by device, inode, size and time of
 * its last change. A package that is upgraded puts another file there, which is asked anew.
 */
export class ProbesByFile<Facts> {
  private readonly known = new Map<string, { identity: string; facts: Promise<Facts> }>();

  constructor(private readonly probe: (path: string) => Promise<Facts>) {}

  async of(path: string, alsoDependsOn: readonly string[] = []): Promise<Facts> {
    const identity = await identityOf([path, ...alsoDependsOn]);
    const before = this.known.get(path);
    if (before?.identity === identity) return before.facts;
    const facts = this.probe(path);
    this.known.set(path, { identity, facts });
    return facts;
  }
}

async function identityOf(paths: readonly string[]): Promise<string> {
  const parts = paths.map(async (path) => {
    try {
      const { dev, ino, size, mtimeMs } = await stat(path);
      return `${path} ${dev} ${ino} ${size} ${mtimeMs}`;
    } catch {
      return `${path} absent`;
    }
  });
  return (await Promise.all(parts)).join('\n');
}
