import 'reflect-metadata';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../../src/canonical-json.js';
import type { DecideInput } from '../../src/decision/decide-input.js';
import { decide } from '../../src/decision/decide.js';
import { attribute, childNamed, childrenNamed, readXml } from '../../src/domain-xml/xml-reader.js';
import { Inventory } from '../../src/pci/inventory.js';
import { decideInput } from './generators.js';
import { brokenInvariant, unaccounted, untouchable } from './invariants.js';
import { generatedRisks } from './risks.js';

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 1_500);
const TIMEOUT_MS = 120_000;

const risks = generatedRisks(40);

/** Holds for every input that the generators make; a failure prints the smallest one. */
function always(name: string, holds: (input: DecideInput) => void): void {
  it(name, { timeout: TIMEOUT_MS }, () => {
    fc.assert(
      fc.property(decideInput, (input) => holds({ ...input, risks })),
      { numRuns: RUNS },
    );
  });
}

/** The same content in other objects, listed in another order where order says nothing. */
function builtAnew(input: DecideInput): DecideInput {
  const turned = <T extends object>(value: T): T =>
    Object.fromEntries(Object.entries(structuredClone(value)).toReversed()) as T;
  return {
    ...turned({ ...input, risks: undefined, inventory: undefined }),
    host: turned(input.host),
    inventory: Inventory.of(input.inventory.functions.map(turned).toReversed()),
    hostdevNetworks: input.hostdevNetworks.toReversed(),
    risks: generatedRisks(40),
  };
}

describe('A decision', () => {
  always('is the same, byte for byte, from separately built inputs of the same content', (input) => {
    const once = decide(input);
    const again = decide(builtAnew(input));
    expect(JSON.stringify(again.decision)).toBe(JSON.stringify(once.decision));
    expect(canonicalJson(again.decision)).toBe(canonicalJson(once.decision));
    expect(again.xml).toBe(once.xml);
  });

  always('edits only what it enforces, so that undo restores it and a second pass does nothing', (input) => {
    expect(brokenInvariant(input, decide(input))).toBeUndefined();
  });

  always('has a verdict that its devices account for', (input) => {
    const { decision } = decide(input);
    const modes = new Set(decision.devices.map(({ mode }) => mode));
    if (input.hostMode !== 'enforce') expect(modes).not.toContain('enforce');
    if (input.hostMode === 'off') expect(decision.verdict).toBe('unrestricted');
    for (const device of decision.devices) {
      const open = device.plan.residual.some(({ required }) => required);
      if (device.verdict === 'denied') expect(open).toBe(true);
      if (device.verdict === 'restricted' || device.verdict === 'denied') expect(device.mode).toBe('enforce');
      if (device.verdict === 'observed') expect(device.mode).toBe('observe');
    }
    const verdicts = decision.devices.map(({ verdict }) => verdict);
    if (verdicts.length === 0) expect(decision.verdict).toBe('unrestricted');
    else expect(verdicts).toContain(decision.verdict);
    if (verdicts.includes('denied')) expect(decision.verdict).toBe('denied');
  });

  always('states every exposure that policy requires closed as closed or as residual', (input) => {
    expect(unaccounted(decide(input))).toEqual([]);
  });

  always(
    'closes reads of nothing but what it closes to writes, and states what it leaves open of what is asked for',
    (input) => {
      for (const { plan } of decide(input).decision.devices) {
        const closedToReads = new Set(plan.mechanisms.flatMap(({ reads = [] }) => reads));
        for (const { closes, reads } of plan.mechanisms) {
          expect(closes).toEqual(expect.arrayContaining(reads ?? []));
          if (reads === undefined) expect(plan.openReads).toBeUndefined();
        }
        for (const exposure of plan.openReads?.exposures ?? []) expect(closedToReads).not.toContain(exposure);
      }
    },
  );

  always('uses only mechanisms that the rule allows and the host has', (input) => {
    for (const { mode, plan, rule } of decide(input).decision.devices) {
      const used = plan.mechanisms.map(({ name }) => name);
      if (mode === 'off') expect(used).toEqual([]);
      const allowed = input.policy.rules
        .filter((placed) => placed.rule.name === rule?.name)
        .flatMap((placed) => placed.rule.mitigations);
      expect(allowed).toEqual(expect.arrayContaining(used));
      if (used.includes('kernel-guard')) expect(input.host.kernelGuard.state).toBe('ready');
      if (used.includes('kernel-parameters')) expect(input.host.kernelParameters.state).toBe('ready');
    }
  });
});

describe('The edited document', () => {
  always('is the original but for what the decision lists', (input) => {
    const result = decide(input);
    expect(untouchable(result.xml, result)).toBe(untouchable(input.xml, result));
  });

  always('keeps the line ends of the original', (input) => {
    const { xml } = decide(input);
    const bareLineFeed = /(^|[^\r])\n/;
    if (!bareLineFeed.test(input.xml)) expect(xml).not.toMatch(bareLineFeed);
    if (!input.xml.includes('\r')) expect(xml).not.toContain('\r');
  });

  always(
    'keeps the written guest address of every device but assigned ones, if the machine stays',
    (input) => {
      const { decision, xml } = decide(input);
      if (decision.edits.some(({ kind }) => kind === 'set-machine')) return;
      const written = (text: string) =>
        childrenNamed(childNamed(readXml(text), 'devices'), 'disk')
          .filter((disk) => attribute(disk, 'type') !== 'nvme')
          .map((disk) => childNamed(disk, 'address'))
          .map((address) => address && [...address.attributes.values()].map(({ value }) => value).join(' '));
      const after = written(xml);
      for (const [at, address] of written(input.xml).entries()) {
        if (address !== undefined) expect(after[at]).toBe(address);
      }
    },
  );
});
