import { Argument, type Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { PACKAGE_ROOT } from '../config/settings.js';
import { print } from './output.js';

/** Kinds of documents, with the file that describes each. */
const SCHEMAS = ['Policy', 'RiskList', 'RiskEntry', 'Exemption', 'PolicyTest'] as const;

export function addPolicySchemaCommand(policy: Command): void {
  policy
    .command('schema')
    .description('print the JSON Schema of a kind of document, for editors')
    .addArgument(new Argument('<kind>').choices(SCHEMAS))
    .action(async (kind: (typeof SCHEMAS)[number]) => {
      print(await readFile(`${PACKAGE_ROOT}policies/schemas/${kind}.json`, 'utf8'));
    });
}
