import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
/** Below `node_modules`, where the compiled service finds its dependencies. */
const CACHE = join(REPOSITORY, 'node_modules/.cache/vfio-warden');

/** Of the package that `compiledService` makes: the program that reads policies. */
export const POLICY_WORKER = 'dist/policy/activation/policy-worker.js';

/** The program of the thread that copies the database's log. */
export const CHECKPOINT_WORKER = 'dist/store/sqlite-checkpoint-worker.js';

/** What the result depends on beside the sources. */
const CONFIGURATION = [
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.sh',
  'scripts/bundle.mjs',
];

/** Milliseconds. */
const KEPT_MS = 60 * 60 * 1000;

/**
 * Compiles the service as `npm run build` does, into a package of its own: a `dist/` that somebody builds meanwhile is not
 * disturbed, and disturbs nothing. Compiled once for each state of the sources.
 *
 * @returns the package's root, with `dist/main.js` and `dist/cli/wardenctl.js`
 */
export function compiledService(): string {
  // Somebody may edit the sources while a test runs.
  compiled ??= compile();
  return compiled;
}

let compiled: string | undefined;

function compile(): string {
  const root = join(CACHE, `service-${digestOfSources()}`);
  if (existsSync(root)) return root;
  mkdirSync(CACHE, { recursive: true });
  const draft = mkdtempSync(join(CACHE, 'draft-'));
  try {
    // Types are the linter's to check.
    execFileSync(join(REPOSITORY, 'scripts/build.sh'), [join(draft, 'dist'), '--noCheck'], { stdio: 'pipe' });
    copyFileSync(join(REPOSITORY, 'package.json'), join(draft, 'package.json'));
    for (const folder of ['deploy', 'hooks', 'policies'])
      symlinkSync(join(REPOSITORY, folder), join(draft, folder));
    renameSync(draft, root);
    removeOld();
  } catch (error) {
    rmSync(draft, { recursive: true });
    // Another spec file has compiled the same sources.
    if (!existsSync(root)) throw error;
  }
  return root;
}

/** Those that no test can be using any more. */
function removeOld(): void {
  for (const name of readdirSync(CACHE)) {
    const directory = join(CACHE, name);
    if (Date.now() - statSync(directory).mtimeMs > KEPT_MS)
      rmSync(directory, { recursive: true, force: true });
  }
}

function digestOfSources(): string {
  const hash = createHash('sha256');
  const sources = join(REPOSITORY, 'src');
  const files = readdirSync(sources, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  for (const file of files.toSorted()) hash.update(`${file}\n`).update(readFileSync(join(sources, file)));
  for (const file of CONFIGURATION) hash.update(readFileSync(join(REPOSITORY, file)));
  return hash.digest('hex').slice(0, 16);
}
