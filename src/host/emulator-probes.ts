import { stat } from 'node:fs/promises';

/** Milliseconds after which a program that could not be asked is asked again. */
const RETRY_MS = 10 * 60 * 1000;

export interface ProbesByFileOptions<Facts> {
  /** Whether the program answered; one that did not may have been kept from it by a busy machine. */
  answered?: (facts: Facts) => boolean;
  /** Milliseconds since any moment. */
  clock?: () => number;
}

/**
 * What was found out about programs, kept for as long as the file is the same one: by device, inode, size and time of
 * its last change. A package that is upgraded puts another file there, which is asked anew; so is, ten minutes later, a program
 * that could not be asked.
 */
export class ProbesByFile<Facts> {
  private readonly known = new Map<string, { identity: string; facts: Promise<Facts>; askedAt: number }>();
  private readonly answered: (facts: Facts) => boolean;
  private readonly clock: () => number;

  constructor(
    private readonly probe: (path: string) => Promise<Facts>,
    { answered = () => true, clock = () => performance.now() }: ProbesByFileOptions<Facts> = {},
  ) {
    this.answered = answered;
    this.clock = clock;
  }

  async of(path: string, alsoDependsOn: readonly string[] = []): Promise<Facts> {
    const identity = await identityOf([path, ...alsoDependsOn]);
    const before = this.known.get(path);
    const now = this.clock();
    if (before?.identity === identity) {
      if (now - before.askedAt < RETRY_MS || this.answered(await before.facts)) return before.facts;
    }
    const facts = this.probe(path);
    this.known.set(path, { identity, facts, askedAt: now });
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
