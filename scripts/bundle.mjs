// Puts the compiled modules of a directory and their dependencies together into few files: a node process reads and links a
// thousand files for longer than the service needs for all the rest of its start.
//   node scripts/bundle.mjs COMPILED OUT
import { join, resolve } from 'node:path';
import { build } from 'esbuild';

const [compiled, out] = process.argv.slice(2).map((path) => resolve(path));
/** What a process or a thread starts with. */
const PROGRAMS = [
  'main.js',
  'cli/wardenctl.js',
  'policy/activation/policy-worker.js',
  'store/sqlite-checkpoint-worker.js',
];
/** Native, or with files beside their code. */
const IN_NODE_MODULES = ['better-sqlite3', 'swagger-ui-dist'];
/** What dependencies would use if it were there, and this project does without. */
const ABSENT = [
  ...[
    '@fastify/static',
    '@grpc/*',
    '@mikro-orm/*',
    '@nestjs/axios',
    '@nestjs/microservices',
    '@nestjs/mongoose',
  ],
  ...['@nestjs/sequelize', '@nestjs/typeorm', '@nestjs/websockets', 'mongoose', 'pg-cloudflare', 'pg-native'],
  ...['sequelize', 'typeorm'],
];
/** Half a megabyte about telephone numbers, for a decorator that nothing here uses. */
const UNUSED = { name: 'unused', setup: leaveOut };
/** CommonJS modules among the dependencies expect these; the names of helpers must not be anybody's. */
const COMMON_JS = `import { createRequire as bundle$createRequire } from 'node:module';
import { dirname as bundle$dirname } from 'node:path';
import { fileURLToPath as bundle$fileURLToPath } from 'node:url';
const require = bundle$createRequire(import.meta.url);
const __filename = bundle$fileURLToPath(import.meta.url);
const __dirname = bundle$dirname(__filename);`;

function leaveOut(bundle) {
  bundle.onLoad({ filter: /\/node_modules\/libphonenumber-js\/max\// }, () => ({ contents: '' }));
}

await build({
  entryPoints: PROGRAMS.map((program) => join(compiled, program)),
  outbase: compiled,
  outdir: out,
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  // Nest, the OpenAPI description and error messages go by the names of classes.
  keepNames: true,
  sourcemap: 'linked',
  external: [...IN_NODE_MODULES, ...ABSENT],
  plugins: [UNUSED],
  banner: { js: COMMON_JS },
  logLevel: 'warning',
});
