import { readFileSync } from 'node:fs';
import ts from 'typescript';
import {
  PACKAGE_ROOT,
  SETTING_NAMES,
  Settings,
  variableOf,
  type SettingName,
} from '../../src/config/settings.js';

const INTRODUCTION = `# Configuration

Made from the class \`Settings\` by \`test/service/configuration-page.spec.ts\`; edit the docstrings there.

The service reads \`/etc/vfio-warden/config.yaml\`, or the file that \`WARDEN_CONFIG\` names, and the environment, which
wins. In the file a setting has the name of its heading (\`retentionDays: 30\`); in the environment the name below it.
Whatever is unknown or out of range is refused with its place, and the service does not start. After a change restart
the service; policies, risk entries and the inventory are read again on \`systemctl reload vfio-warden\`.
`;

/** The reference page, made from names, docstrings and defaults of the class. */
export function configurationPage(): string {
  const descriptions = describedSettings();
  const sections = SETTING_NAMES.map((name) =>
    [`## ${name}`, `\`${variableOf(name)}\`, ${defaultOf(name)}.`, descriptions.get(name)].join('\n\n'),
  );
  return `${[INTRODUCTION.trimEnd(), ...sections].join('\n\n')}\n`;
}

function defaultOf(name: SettingName): string {
  if (name === 'hostName') return "by default the host's name";
  const value = new Settings()[name];
  if (value === undefined) return 'no default';
  return `by default \`${String(value).replace(PACKAGE_ROOT, 'PACKAGE/')}\``;
}

function describedSettings(): Map<string, string> {
  const path = `${PACKAGE_ROOT}src/config/settings.ts`;
  const source = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest, true);
  const settings = source.statements.find(
    (statement) => ts.isClassDeclaration(statement) && statement.name?.text === 'Settings',
  ) as ts.ClassDeclaration;
  return new Map(
    settings.members.map((member) => [
      (member.name as ts.Identifier).text,
      ts
        .getJSDocCommentsAndTags(member)
        .map(({ comment }) => ts.getTextOfJSDocComment(comment))
        .join('\n'),
    ]),
  );
}
