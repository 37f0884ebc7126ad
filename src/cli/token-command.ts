import { Option, type Command } from 'commander';
import { ROLES, type Role } from '../api/access/caller.js';
import { generateToken, hashToken } from '../api/access/token.js';
import { LocatedError } from '../located-error.js';
import { print, printJson } from './output.js';

interface TokenOptions {
  role: Role;
  expires?: string;
  json?: boolean;
}

/** As the tokens file takes it. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/;

export function addTokenCommand(program: Command): void {
  program
    .command('token')
    .description('work with bearer tokens of the API')
    .command('new')
    .description('make a token: it is printed once, and the tokens file gets its hash only')
    .argument('<name>', 'who will use it, as events name it')
    .addOption(new Option('--role <role>', 'what it may do').choices(ROLES).makeOptionMandatory())
    .option('--expires <date>', 'from then on it is refused: 2027-01-31')
    .option('--json', 'print token and entry as JSON')
    .action(newToken);
}

function newToken(name: string, { role, expires, json }: TokenOptions): void {
  if (!NAME.test(name)) {
    throw new LocatedError(
      `${name.slice(0, 80)} is no name for a token`,
      'NAME',
      'Write letters, digits and . _ @ -, at most 64.',
    );
  }
  if (expires !== undefined && !/^\d{4}-\d\d-\d\d$/.test(expires)) {
    throw new LocatedError(`${expires.slice(0, 40)} is no date`, '--expires', 'Write it as 2027-01-31.');
  }
  const token = generateToken();
  const entry = { name, role, sha256: hashToken(token), ...(expires !== undefined && { expires }) };
  if (json) return printJson({ token, entry });
  const fields = Object.entries(entry).map(([field, value]) => `${field}: '${value}'`);
  // The token alone on standard output, so that it can be piped into a file that nobody else reads.
  process.stderr.write(`Add this line to the list "tokens" of the tokens file (setting tokensFile):\n`);
  process.stderr.write(`  - { ${fields.join(', ')} }\nThe token, which is shown only now:\n`);
  print(token);
}
