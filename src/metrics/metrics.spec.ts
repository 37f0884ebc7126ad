import { describe, expect, it } from 'vitest';
import type { Mode } from '../policy/policy-terms.js';
import { Metrics } from './metrics.js';

describe('what Prometheus is told', () => {
  it('counts decisions by surface and verdict, and how long they took', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.decided('proxy', 'restricted', 0.004);
    metrics.decided('proxy', 'restricted', 0.02);
    const text = await metrics.scrape();
    expect(text).toContain('vfio_warden_decisions_total{surface="proxy",verdict="restricted"} 2');
    expect(text).toContain('vfio_warden_decide_duration_seconds_bucket{le="0.005",surface="proxy"} 1');
    expect(text).toContain(`vfio_warden_build_info{version="1.2.3",node="${process.version}"} 1`);
  });

  it('has every outcome of proxy and hook from the start, so that the first failure is an increase', async () => {
    const metrics = new Metrics('1.2.3');
    expect(await metrics.scrape()).toContain('vfio_warden_proxy_calls_total{outcome="failed-open"} 0');
    metrics.hookCall('start', 'failed-open');
    metrics.proxyCall('refused');
    const text = await metrics.scrape();
    expect(text).toContain('vfio_warden_hook_calls_total{operation="start",outcome="failed-open"} 1');
    expect(text).toContain('vfio_warden_hook_calls_total{operation="prepare",outcome="failed-open"} 0');
    expect(text).toContain('vfio_warden_proxy_calls_total{outcome="refused"} 1');
  });

  it('looks at gauges when it is asked, and is silent about what is not known', async () => {
    const metrics = new Metrics('1.2.3');
    expect(await metrics.scrape()).not.toMatch(/libvirt_connected|unprotected_running|_mode/);

    let [mode, unprotected, connected]: [Mode, number | undefined, boolean] = ['enforce', undefined, true];
    metrics.watch({
      mode: () => mode,
      unprotectedRunning: () => unprotected,
      libvirtConnected: () => connected,
      store: () => ({ state: 'away', pending: 3, lost: 1 }),
    });
    const before = await metrics.scrape();
    expect(before).toContain('vfio_warden_mode{mode="enforce"} 1');
    expect(before).toContain('vfio_warden_libvirt_connected 1');
    expect(before).toContain('vfio_warden_store_up 0');
    expect(before).toContain('vfio_warden_store_pending_entries 3');
    expect(before).not.toMatch(/^vfio_warden_unprotected_running_domains \d/m);

    [mode, unprotected, connected] = ['off', 2, false];
    const after = await metrics.scrape();
    expect(after).toContain('vfio_warden_mode{mode="enforce"} 0');
    expect(after).toContain('vfio_warden_mode{mode="off"} 1');
    expect(after).toContain('vfio_warden_libvirt_connected 0');
    expect(after).toContain('vfio_warden_unprotected_running_domains 2');
  });
});
