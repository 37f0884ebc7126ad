import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LocatedError } from '../../src/located-error.js';

/** The two files of a kernel that the oracle compiles; everything else is `kernel-shim.h`. */
const CONFIG_C = 'drivers/vfio/pci/vfio_pci_config.c';
const NEEDED = [CONFIG_C, 'include/uapi/linux/pci_regs.h'];

export interface KernelSource {
  /** `6.1`: the number in the package's name. */
  series: string;
  /** Version of the Debian package, `6.1.192-2`. */
  version: string;
  /** Path of `vfio_pci_config.c`. */
  configC: string;
  /** Folder with the kernel's `linux/pci_regs.h`. */
  uapi: string;
}

export const CACHE = join(
  process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'),
  'vfio-warden',
  'layout-oracle',
);
/** Written last, and only if sid was reached: the sources in the cache are all there are to have. */
const COMPLETE = join(CACHE, 'complete');
const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const MINUTE = 60_000;

/** A place that linux-source packages come from: the system's own sources, or sid by a private configuration. */
interface Archive {
  name: string;
  environment: NodeJS.ProcessEnv;
}

/**
 * The kernels to compare with: 6.1, the newest of the system's apt sources, and the newest of Debian sid. Sources stay
 * in the cache and are used as they are; remove it to look for newer ones.
 *
 * @param say takes a line about what is done, or could not be had and why
 * @throws LocatedError where not a single kernel can be had
 */
export function kernelSources(say: (line: string) => void): KernelSource[] {
  mkdirSync(CACHE, { recursive: true });
  if (existsSync(COMPLETE)) return cachedSources();
  const reached = [systemArchive(), sidArchive(say)].filter((archive) => archive !== undefined);
  for (const archive of reached) fetchWanted(archive, say);
  if (reached.length > 1) writeFileSync(COMPLETE, '');
  const sources = cachedSources();
  if (sources.length > 0) return sources;
  throw new LocatedError(
    'no linux-source package can be had',
    'apt',
    'Run `apt-get update` on a Debian host with access to its archive.',
  );
}

/** Unpacked sources are in folders such as `linux-source-6.1_6.1.192-2`, in the order of the kernels. */
function cachedSources(): KernelSource[] {
  return readdirSync(CACHE)
    .flatMap((name): KernelSource[] => {
      const [, series, version] = /^linux-source-(\d+\.\d+)_(.+)$/.exec(name) ?? [];
      if (series === undefined || version === undefined) return [];
      const folder = join(CACHE, name);
      return [{ series, version, configC: join(folder, CONFIG_C), uapi: join(folder, 'include/uapi') }];
    })
    .toSorted((a, b) => bySeries(a.series, b.series));
}

const bySeries = (a: string, b: string) => a.localeCompare(b, 'en', { numeric: true });

const systemArchive = (): Archive => ({ name: 'the system sources', environment: process.env });

/** The mirror that the system itself takes Debian from; those for security updates and backports have no sid. */
function debianMirror(): string | undefined {
  const targets = run('apt-get', ['indextargets', '--format', '$(SITE) $(ORIGIN) $(RELEASE)'], {
    environment: process.env,
  });
  return /^(\S+) Debian [a-z]+$/m.exec(targets)?.[1];
}

/** Debian sid by a configuration of its own: own sources and lists, in the cache; nothing in /etc is written. */
function sidArchive(say: (line: string) => void): Archive | undefined {
  const apt = join(CACHE, 'apt');
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, part), { recursive: true });
  const sourceList = join(apt, 'sid.list');
  const mirror = debianMirror();
  if (mirror === undefined) {
    say('Debian sid cannot be had: the system has no Debian mirror configured');
    return undefined;
  }
  writeFileSync(sourceList, `deb [signed-by=${DEBIAN_KEYRING}] ${mirror} sid main\n`);
  const settings: Record<string, string> = {
    'Dir::State': apt,
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': '/var/lib/dpkg/status',
    'Dir::Cache': apt,
    'Dir::Cache::archives': join(apt, 'archives'),
    'Dir::Etc::sourcelist': sourceList,
    'Dir::Etc::sourceparts': '-',
    'APT::Sandbox::User': 'root', // the lists lie in a home folder, where apt's own user cannot go
    'Acquire::Languages': 'none',
  };
  const configuration = join(apt, 'apt.conf');
  const lines = Object.entries(settings).map(([key, value]) => `${key} "${value}";\n`);
  writeFileSync(configuration, lines.join(''));
  const environment = { ...process.env, APT_CONFIG: configuration };
  try {
    run('apt-get', ['update', '-q'], { environment });
    return { name: 'Debian sid', environment };
  } catch (problem) {
    say(`Debian sid cannot be had, the newest is that of the system sources: ${(problem as Error).message}`);
    return undefined;
  }
}

/** 6.1, where the archive has it, and the newest that it has. */
function fetchWanted(archive: Archive, say: (line: string) => void): void {
  const { environment } = archive;
  const listed = run('apt-cache', ['search', '--names-only', '^linux-source-[0-9]'], { environment });
  const offered = [...listed.matchAll(/^linux-source-(\d+\.\d+) /gm)].map(([, series]) => series!);
  const wanted = new Set(
    [offered.find((series) => series === '6.1'), offered.toSorted(bySeries).at(-1)].filter(
      (series) => series !== undefined,
    ),
  );
  for (const series of wanted) {
    if (cachedSources().some((source) => source.series === series)) continue;
    say(`fetching linux-source-${series} from ${archive.name}`);
    try {
      fetchSource(series, archive);
    } catch (problem) {
      say(`linux-source-${series} cannot be had: ${(problem as Error).message}`);
    }
  }
}

function fetchSource(series: string, { environment }: Archive): void {
  const name = `linux-source-${series}`;
  const download = join(CACHE, `download-${series}`);
  rmSync(download, { recursive: true, force: true });
  const unpacked = join(download, 'unpacked');
  mkdirSync(unpacked, { recursive: true });
  try {
    run('apt-get', ['download', '-q', name], { environment, cwd: download });
    const deb = readdirSync(download).find((file) => file.endsWith('.deb'));
    if (deb === undefined)
      throw new LocatedError('no package came', `apt-get download ${name}`, 'Try again.');
    const version = run('dpkg-deb', ['-f', deb, 'Version'], { cwd: download }).trim();
    // tar stops reading once it has the files, so what feeds it ends by a broken pipe, as it should.
    const pipeline =
      'dpkg-deb --fsys-tarfile "$1" | tar -xOf - "./usr/src/$2.tar.xz" | xz -dc 2>/dev/null | ' +
      'tar -x -C unpacked --strip-components=1 --occurrence=1 $(for file in $3; do echo "$2/$file"; done)';
    run('sh', ['-c', pipeline, 'sh', deb, name, NEEDED.join(' ')], { cwd: download });
    const missing = NEEDED.find((file) => !existsSync(join(unpacked, file)));
    if (missing !== undefined) throw new LocatedError(`it has no ${missing}`, deb, 'It is laid out anew.');
    renameSync(unpacked, join(CACHE, `${name}_${version}`));
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
}

/**
 * Runs a command to its end, three minutes at most.
 *
 * @throws LocatedError with its last words where it fails
 */
export function run(
  command: string,
  args: readonly string[],
  { environment, cwd }: { environment?: NodeJS.ProcessEnv; cwd?: string } = {},
): string {
  const done = spawnSync(command, args, {
    env: environment ?? process.env,
    cwd,
    encoding: 'utf8',
    timeout: 3 * MINUTE,
    maxBuffer: 64 << 20,
  });
  if (done.status === 0) return done.stdout;
  const lastWords = done.error?.message ?? done.stderr.trim().split('\n').slice(-3).join('; ').slice(0, 500);
  const problem = lastWords || `it ended with ${done.status ?? done.signal}`;
  throw new LocatedError(problem, `${command} ${args[0] ?? ''}`, 'Its message says more.');
}
