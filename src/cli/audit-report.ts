import type { DeviceAudit, DocumentAudit, DomainAudit, Enforcement } from '../audit/domain-audit.js';
import type { NameFunction } from '../decision/explanation.js';
import { withoutControls } from '../documents/located-yaml.js';
import { fold, type Style, type Terminal } from './terminal.js';

/** How loud a severity is said. */
const SEVERITY_STYLE: Record<string, Style> = { critical: 'red', high: 'red', medium: 'yellow' };

/** Columns of a label and the space after it. */
const LABEL = 11;

/** What an audit found of one domain, for people: what is open, what is closed, what enforcing would change. */
export class DomainReport {
  constructor(
    private readonly terminal: Terminal,
    private readonly nameOf: NameFunction,
  ) {}

  lines(domain: DomainAudit): string[] {
    const { now, next, name, file, running } = domain;
    const shown = now ?? next;
    const state = running === undefined ? (file ?? '') : running ? 'running' : 'not running';
    const lines = ['', `${this.terminal.paint('bold', withoutControls(name))}  ${withoutControls(state)}`];
    if (!shown) return lines;
    if (shown.devices.length === 0 && (next?.devices.length ?? 0) === 0) {
      return [...lines, this.terminal.paint('dim', '  no assigned devices')];
    }
    const changed = now && next && !exposesTheSame(now, next);
    const told = new Set<string>();
    for (const device of shown.devices) {
      lines.push(...this.device(device, told));
      const later = next?.devices.find((other) => other.device === device.device);
      if (changed) lines.push(...this.detail('now', this.enforcing(device)));
      else lines.push(...this.outlook(later ?? device, now !== undefined, now && device));
    }
    if (changed) {
      lines.push('', '  The next start gets other devices, or gets them elsewhere:');
      for (const device of next.devices)
        lines.push(...this.device(device, told), ...this.outlook(device, true));
      if (next.devices.length === 0) lines.push('  no assigned devices');
    }
    return [...lines, ...this.aside(next ?? shown, shown)];
  }

  private device(device: DeviceAudit, told: Set<string>): string[] {
    const { function: fn, guestAddress, risks, alsoOpen, closed, certainty, carrier } = device;
    const name = fn && this.nameOf(fn);
    const id = fn ? `[${fn.vendor}:${fn.device}] class ${fn.class.slice(0, 4)} ${fn.kind.toUpperCase()}` : '';
    const place = guestAddress === undefined ? '' : `guest ${guestAddress}`;
    const title = [
      carrier === 'network' ? `a function of network ${device.device}` : device.device,
      name,
      id,
      place || undefined,
    ]
      .filter(Boolean)
      .join(' ');
    const lines = fold('  ', withoutControls(title), this.terminal.width);
    if (carrier === 'mdev' || carrier === 'nvme-disk') {
      const reason =
        carrier === 'mdev'
          ? 'the vendor driver emulates its config space'
          : 'QEMU drives it itself, and the guest sees another device';
      return [...lines, ...this.detail('exposes', `nothing: ${reason}`)];
    }
    for (const { exposure, part, risk } of risks) {
      const where = `${exposure}${part ? ` ${part}` : ''}, ${risk.effect}`;
      const known = told.has(risk.entry);
      const summary = known ? 'as above' : risk.summary.replace(/\.$/, '');
      const founded = known
        ? `entry ${risk.entry}`
        : `known by ${risk.knownBy}, ${risk.confidence}, entry ${risk.entry}`;
      told.add(risk.entry);
      lines.push(
        ...this.detail(risk.severity, `${where}: ${summary} (${founded})`, SEVERITY_STYLE[risk.severity]),
      );
      if (risk.handledBy !== undefined)
        lines.push(...this.detail('', `${risk.handledBy} (not verified here)`));
      if (risk.limits !== undefined && !known)
        lines.push(...this.detail('', `but: ${risk.limits.replace(/\.$/, '')}`));
    }
    if (alsoOpen.length > 0) {
      const assumed = certainty === 'assumed' ? ' (assumed: config space was not read)' : '';
      const label = risks.length > 0 ? 'also open' : 'open';
      lines.push(...this.detail(label, `no risk known: ${alsoOpen.join(', ')}${assumed}`));
    }
    for (const { by, exposures } of closed) {
      lines.push(...this.detail('closed', `${exposures.join(', ')} (by ${by})`, 'green'));
    }
    return lines;
  }

  /** What enforcing comes to: while the domain runs where that differs, at its next start, and were it new. */
  private outlook(device: DeviceAudit, runs: boolean, running?: DeviceAudit): string[] {
    const lines: string[] = [];
    const atNextStart = this.enforcing(device);
    if (runs && running && running !== device && this.enforcing(running) !== atNextStart) {
      lines.push(...this.detail('enforcing', `while it runs, ${this.enforcing(running)}`));
      lines.push(...this.detail('', `from the next start on, ${atNextStart}`));
    } else {
      lines.push(...this.detail('enforcing', atNextStart));
    }
    if (device.ifNew) lines.push(...this.detail('', `defined anew, ${describe(device.ifNew)}`));
    if (device.rule) {
      const { name, policy, mode } = device.rule;
      const hint = mode === 'enforce' ? '' : `: its mode is ${mode}`;
      const style = mode === 'enforce' ? undefined : 'yellow';
      lines.push(
        ...this.detail(
          'rule',
          `${name} of policy ${policy}${mode === 'enforce' ? ' enforces' : hint}`,
          style,
        ),
      );
    }
    return lines;
  }

  private enforcing(device: DeviceAudit): string {
    if (device.rule === undefined) return 'changes nothing: no policy rule speaks of this device';
    if (device.rule.mode === 'off') return 'changes nothing: the rule is off';
    return describe(device.enforcing);
  }

  private aside({ edits, moves, problems }: DocumentAudit, shown: DocumentAudit): string[] {
    return [
      ...edits.flatMap((edit, index) => this.detail(index === 0 ? 'edits' : '', edit, undefined, 2)),
      ...moves.flatMap(({ device, from, to }, index) =>
        this.detail(index === 0 ? 'moves' : '', `${device}: ${from} -> ${to}`, 'yellow', 2),
      ),
      ...(problems.length > 0 ? problems : shown.problems).flatMap(({ place, problem, remedy }) =>
        this.detail('note', `${place}: ${problem}. ${remedy}`, 'yellow', 2),
      ),
    ];
  }

  private detail(label: string, text: string, style?: Style, indent = 4): string[] {
    const head = ' '.repeat(indent) + label.padEnd(LABEL);
    const [first = '', ...rest] = fold(head, withoutControls(text), this.terminal.width);
    const painted = style ? this.terminal.paint(style, head) : head;
    return [painted + first.slice(head.length), ...rest];
  }
}

function exposesTheSame(a: DocumentAudit, b: DocumentAudit): boolean {
  const summary = ({ devices }: DocumentAudit) =>
    devices
      .map(({ device, risks, alsoOpen, closed }) =>
        JSON.stringify([device, risks.map(({ exposure, part }) => [exposure, part]), alsoOpen, closed]),
      )
      .toSorted()
      .join();
  return summary(a) === summary(b);
}

/** One outcome as the rest of a sentence that begins with what is done. */
function describe({ outcome, mechanisms, staysOpen }: Enforcement): string {
  const how = mechanisms
    .map(({ name, closes }) => `${name} closes ${closes.join(', ') || 'a part'}`)
    .join('; ');
  const left = `${staysOpen.join(', ')} would stay open`;
  switch (outcome) {
    case 'nothing-required':
      return 'changes nothing: the rule asks for nothing that the device has';
    case 'in-force':
      return 'changes nothing: what the rule asks for is closed already';
    case 'protected':
      return how;
    case 'partly':
      return how === '' ? `changes nothing more: ${left}` : `${how}; ${left}`;
    case 'impossible':
      return `changes nothing: ${left}`;
    case 'exempt':
      return 'changes nothing: it would break the device';
    case 'refused':
      return `the domain is refused: ${left}`;
  }
}
