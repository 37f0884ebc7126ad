import { LocatedError } from '../../located-error.js';
import { EXTENDED_SIZE } from '../../pci/config-space/capability-tables.js';
import {
  EFFECTS,
  LIMITS,
  MAX_BAR_OFFSET,
  REFUSABLE_IOCTLS,
  REGIONS,
  STANDARD_RULES,
  type AccessRegion,
  type AccessRule,
  type AccessRules,
  type Direction,
  type Effect,
  type RefusedIoctl,
  type WrittenBits,
} from './access-rules.js';

const DIRECTIONS: ReadonlyMap<string, readonly Direction[]> = new Map([
  ['r', ['read']],
  ['w', ['write']],
  ['rw', ['read', 'write']],
]);
const RANGE = /^([0-9a-f]{1,10})(?:-([0-9a-f]{1,10}))?$/;
const CONDITION = /^([0-9a-f]{1,2})=([0-9a-f]{1,2})$/;

/**
 * Reads the text form.
 *
 * @throws LocatedError naming the statement by its number and column
 */
export function parseRules(text: string): AccessRules {
  if (text.length > LIMITS.text) {
    throw new LocatedError(
      `the rules have ${text.length} characters, more than ${LIMITS.text}`,
      'access rules',
      'Join ranges that touch.',
    );
  }
  const unassigned = { ...STANDARD_RULES.unassigned };
  const rules: AccessRule[] = [];
  const ioctls = new Set<RefusedIoctl>();
  const count = { bars: 0, conditional: 0 };
  let column = 1;
  for (const [index, statement] of text.split(';').entries()) {
    const refuse: Refuse = (problem, remedy) => {
      throw new LocatedError(problem, `access rules, statement ${index + 1}, column ${column}`, remedy);
    };
    const [subject = '', ...fields] = statement.split(':');
    if (subject === 'unassigned') {
      if (fields.length !== 2) refuse('it is not complete', 'Write unassigned:w:block.');
      for (const direction of directions(fields[0]!, refuse))
        unassigned[direction] = effect(fields[1]!, refuse);
    } else if (subject === 'ioctl') {
      ioctls.add(ioctl(fields, refuse));
    } else if (isOneOf(REGIONS, subject)) {
      const rule = accessRule(subject, fields, refuse);
      rules.push(rule);
      if (rules.length > LIMITS.rules) refuse(`there are more than ${LIMITS.rules} rules`, 'Join ranges.');
      if (subject !== 'cfg' && ++count.bars > LIMITS.barRules) {
        refuse(`more than ${LIMITS.barRules} rules are about BARs`, 'Join ranges.');
      }
      if (rule.when) count.conditional += rule.to - rule.from + 1;
      if (count.conditional > LIMITS.conditionalBytes) {
        refuse(
          `rules with a condition cover more than ${LIMITS.conditionalBytes} bytes`,
          'Name fewer bytes.',
        );
      }
    } else {
      refuse(
        `it begins with ${JSON.stringify(subject.slice(0, 20))}`,
        `Begin with unassigned, ioctl or ${REGIONS.join(', ')}.`,
      );
    }
    column += statement.length + 1;
  }
  return { unassigned, rules, ioctls: [...ioctls] };
}

type Refuse = (problem: string, remedy: string) => never;

function accessRule(region: AccessRegion, fields: readonly string[], refuse: Refuse): AccessRule {
  if (fields.length < 3 || fields.length > 4) {
    refuse('it is not complete', `Write ${region}:FROM-TO:w:block, with MASK=VALUE behind it where needed.`);
  }
  const [range = '', ways = '', what = '', condition] = fields;
  const match = RANGE.exec(range);
  if (!match) return refuse(`${quote(range)} is no range`, 'Write hexadecimal offsets: 69 or 800-8ff.');
  const from = parseInt(match[1]!, 16);
  const to = parseInt(match[2] ?? match[1]!, 16);
  const last = region === 'cfg' ? EXTENDED_SIZE - 1 : MAX_BAR_OFFSET;
  if (from > to) refuse(`${range} ends before it begins`, 'Write the lower offset first.');
  if (to > last) refuse(`${range} ends behind ${last.toString(16)}`, 'Stay within the region.');
  const rule: AccessRule = {
    region,
    from,
    to,
    directions: directions(ways, refuse),
    effect: effect(what, refuse),
  };
  if (condition === undefined) return rule;
  if (region !== 'cfg') refuse('only a rule on cfg has a condition', 'Leave MASK=VALUE out.');
  if (rule.directions.includes('read'))
    refuse('a read writes no bits to look at', 'Write w for the direction.');
  return { ...rule, when: writtenBits(condition, refuse) };
}

function writtenBits(text: string, refuse: Refuse): WrittenBits {
  const match = CONDITION.exec(text);
  if (!match) return refuse(`${quote(text)} is no condition`, 'Write MASK=VALUE in hexadecimal: 80=80.');
  const mask = parseInt(match[1]!, 16);
  const value = parseInt(match[2]!, 16);
  if (mask === 0) refuse('the mask 0 looks at no bit', 'Leave the condition out.');
  if ((value & ~mask) !== 0) {
    refuse(`${text} can never hold: the value has bits that the mask has not`, 'Correct the mask.');
  }
  return { mask, value };
}

function ioctl(fields: readonly string[], refuse: Refuse): RefusedIoctl {
  const [name = '', what] = fields;
  if (!isOneOf(REFUSABLE_IOCTLS, name)) {
    return refuse(`${quote(name)} is no request`, `Write ${REFUSABLE_IOCTLS.join(', ')}.`);
  }
  if (fields.length !== 2 || what !== 'block')
    refuse('a request is only blocked', `Write ioctl:${name}:block.`);
  return name;
}

function directions(text: string, refuse: Refuse): readonly Direction[] {
  return DIRECTIONS.get(text) ?? refuse(`${quote(text)} is no direction`, 'Write r, w or rw.');
}

function effect(text: string, refuse: Refuse): Effect {
  return isOneOf(EFFECTS, text) ? text : refuse(`${quote(text)} is no effect`, 'Write allow or block.');
}

function isOneOf<T extends string>(values: readonly T[], text: string): text is T {
  return (values as readonly string[]).includes(text);
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 20));
}
