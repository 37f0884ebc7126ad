import { EXPOSURE_NAMES } from '../../src/risk/exposure.js';
import { MECHANISMS } from '../../src/mitigation/mechanism.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';

/** A policy with a rule for each column: the domain of that name is to have every exposure closed by that mechanism. */
export function labPolicy(mechanisms: readonly LabMechanism[]): Record<string, unknown> {
  return {
    apiVersion: 'vfio-warden.dev/v1',
    kind: 'Policy',
    metadata: { name: 'lab' },
    spec: {
      rules: [
        ...mechanisms.map(({ column, mitigations }) => ruleFor(`lab-${column}`, mitigations)),
        // Whatever the host has, the least disruptive first.
        ruleFor(
          'lab-*',
          MECHANISMS.filter((name) => name !== 'deny' && name !== 'i440fx'),
        ),
      ],
    },
  };
}

/** @param domain name of the domain that the rule is for, `*` for any characters */
export function ruleFor(domain: string, mitigations: readonly string[]): Record<string, unknown> {
  const match = { domains: [{ name: domain }] };
  const name = domain.replaceAll('*', 'any');
  if (mitigations.length === 0) return { name, match, mode: 'off' };
  return {
    name,
    match,
    mode: 'enforce',
    require: EXPOSURE_NAMES,
    mitigations,
    topologyChange: 'always',
    uncovered: 'warn',
  };
}
