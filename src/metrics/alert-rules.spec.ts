import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { Metrics } from './metrics.js';

const RULES = 'deploy/prometheus/vfio-warden.rules.yaml';
const RULES_TEST = 'deploy/prometheus/vfio-warden.rules.test.yaml';

interface Alert {
  alert: string;
  expr: string;
  annotations: Record<string, string>;
}

const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Alert[] }[] };
const alerts = groups.flatMap(({ rules }) => rules);

describe('the alert rules', () => {
  it('do what their tests say (promtool, of the package prometheus)', () => {
    const said = execFileSync('promtool', ['test', 'rules', RULES_TEST], { encoding: 'utf8' });
    expect(said).toContain('SUCCESS');
  }, 120_000);

  it('each have a test', () => {
    const tested = readFileSync(RULES_TEST, 'utf8');
    expect(alerts.filter(({ alert }) => !tested.includes(`alertname: ${alert}\n`))).toEqual([]);
  });

  it.each(alerts.map((alert) => [alert.alert, alert] as const))(
    '%s has a summary and says what to do, and asks for metrics that there are',
    async (_, { expr, annotations }) => {
      expect(annotations.summary).toBeTruthy();
      const anchor = /^docs\/alerts\.md#(.+)$/.exec(annotations.runbook ?? '')?.[1];
      expect(headingAnchors('docs/alerts.md')).toContain(anchor);

      const metrics = new Metrics('1.2.3');
      metrics.watch({
        unprotectedRunning: () => 0,
        libvirtConnected: () => true,
        mode: () => 'enforce',
        store: () => ({ state: 'ok', pending: 0, lost: 0 }),
        unverifiedRunning: () => 0,
        staleRunning: () => 0,
        parameters: () => ({ configured: true, live: true, verified: false }),
        policy: () => ({
          source: '',
          inForce: undefined,
          pinned: undefined,
          held: undefined,
          lastSync: undefined,
          lastRefusal: undefined,
          lastRequest: undefined,
          underWay: [],
          warnings: [],
          exemptions: [],
        }),
      });
      const text = await metrics.scrape();
      for (const [name] of expr.matchAll(/vfio_warden_\w+/g)) expect(text).toContain(`# TYPE ${name} `);
    },
  );
});

/** As code hosts make them of headings. */
function headingAnchors(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^## (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/\s/g, '-'),
  );
}
