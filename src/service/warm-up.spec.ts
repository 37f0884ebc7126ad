import { describe, expect, it } from 'vitest';
import { decide } from '../decision/decide.js';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { risksOf } from '../../test/fixtures/scenario.js';
import { SAMPLE_INVENTORY, SAMPLE_POLICY, sampleDomain } from './sample-domain.js';
import { WarmUp } from './warm-up.js';

const BASIS = {
  inventory: SAMPLE_INVENTORY,
  policy: SAMPLE_POLICY,
  host: STOCK_HOST,
  risks: risksOf(),
  hostMode: 'enforce',
} as const;

describe('the warm-up', () => {
  it('goes the whole way of a decision: document, plan, bridge, metadata', () => {
    const { decision, xml } = decide({
      ...BASIS,
      xml: sampleDomain(true),
      evaluatedAt: '2026-11-26T00:00:00.000Z',
      domainState: 'unknown',
      guestHardware: 'may-change',
      ranRestricted: [],
      hostdevNetworks: [],
    });
    expect(decision.verdict).toBe('restricted');
    expect(xml).toContain('pcie-to-pci-bridge');
  });

  it('keeps nobody from stopping', async () => {
    const warmUp = new WarmUp(() => BASIS);
    await warmUp.start();
    await expect(warmUp.stop()).resolves.toBeUndefined();
  });
});
