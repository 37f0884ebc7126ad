import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { startKnowledge } from '../../src/libvirt/hooked-starts.js';
import type { Decision } from '../../src/decision/decision.js';
import { DecisionRecorder } from '../../src/store/decision-recorder.js';
import { DecisionService } from '../../src/decision/decision.service.js';
import { FunctionRelease } from '../../src/guard/function-release.js';
import { GuardArming } from '../../src/guard/guard-arming.js';
import { DomainRegistry } from '../../src/libvirt/domain-registry.js';
import { HostdevNetworks } from '../../src/libvirt/hostdev-networks.js';
import { Reconciler } from '../../src/libvirt/reconciler/reconciler.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import type { Bdf } from '../../src/pci/bdf.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import { FixtureHost, fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { STOCK_HOST } from '../fixtures/hosts.js';
import { hostdev, NODE_INVENTORY, policyOf, risksOf } from '../fixtures/scenario.js';
import { MemoryJournal } from '../proxy/proxy-stand.js';

const NVME = '0000:81:00.0';
const BRIDGE = /model='pcie-to-pci-bridge'/;
const rule = (change: string) =>
  policyOf(
    `{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: ${change}, uncovered: warn }`,
  );

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the reconciler', () => {
  let host: FixtureHost;
  /** Somebody who does not know of the proxy. */
  let somebody: LibvirtClient;
  const open: LibvirtClient[] = [];
  const reconcilers: Reconciler[] = [];

  beforeAll(async () => {
    host = await FixtureHost.start();
  }, 60_000);
  beforeEach(async () => {
    somebody = await connect();
  });
  afterEach(async () => {
    for (const reconciler of reconcilers.splice(0)) reconciler.disconnected();
    for (const domain of await somebody.listDomains()) {
      await somebody.destroyDomain(domain).catch(() => undefined);
      await somebody.undefineDomain(domain).catch(() => undefined);
    }
    for (const client of open.splice(0)) await client.close();
  });
  afterAll(() => host?.stop());

  async function connect(): Promise<LibvirtClient> {
    const client = await LibvirtClient.connect({ path: host.socket });
    open.push(client);
    return client;
  }

  /** A service that has just been started; `before` is what it knew when it was stopped. */
  function service(policy: PolicySet, before?: DomainRegistry) {
    const journal = new MemoryJournal();
    const removed: string[] = [];
    const rules = { mode: 'enforce' as const, rules: '', reliedUpon: true, unplaced: [] };
    const arming = new GuardArming({
      program: { apply: () => {}, remove: (devices) => void removed.push(...devices) },
      ready: () => true,
      rulesOf: ({ devices }) => devices.map(({ source }) => ({ ...rules, device: source as Bdf })),
      onArmed: () => {},
      onReleased: () => {},
    });
    const registry = new DomainRegistry('node', journal);
    registry.load(before?.all() ?? []);
    const decisions = new DecisionService({
      policy,
      risks: risksOf(),
      inventory: NODE_INVENTORY,
      host: STOCK_HOST,
      hostMode: 'enforce',
    });
    const starts = startKnowledge();
    const reconciler = new Reconciler({
      recorder: new DecisionRecorder(decisions, journal, 'node'),
      registry,
      journal,
      networks: new HostdevNetworks(),
      starts,
      release: new FunctionRelease({ registry, arming, log: { warn: (message) => console.warn(message) } }),
      host: 'node',
      redefine: true,
      log: { info: () => {}, warn: (message) => console.warn(message) },
    });
    reconcilers.push(reconciler);
    const kinds = () => journal.events.map(({ kind }) => kind);
    return { journal, registry, reconciler, decisions, starts, kinds, arming, removed };
  }

  const inactive = async (name: string) => somebody.domainXml(await somebody.domainByName(name), 2);

  it('defines an inactive domain that policy would rewrite again, once', async () => {
    await somebody.defineDomain(vm('old', hostdev(NVME)));
    // A domain that was there before us may have run, so that only `always` changes its hardware.
    const { reconciler, registry, journal, kinds } = service(rule('always'));
    await reconciler.connected(await connect());

    expect(await inactive('old')).toMatch(BRIDGE);
    await reconciler.reconcileAll();
    expect(kinds()).toEqual(['redefined']);
    expect(registry.find(undefined, 'old')).toMatchObject({
      verdict: 'restricted',
      unprotected: false,
      devices: [NVME],
      decisionId: journal.decisions[0]!.decision.id,
    });
  });

  it('changes nothing of a domain that may have run, where policy says so, and tells that it is open', async () => {
    await somebody.defineDomain(vm('old', hostdev(NVME)));
    const { reconciler, registry } = service(rule('before-first-run'));
    await reconciler.connected(await connect());

    expect(await inactive('old')).not.toMatch(BRIDGE);
    expect(registry.find(undefined, 'old')).toMatchObject({ state: 'unknown', unprotected: true });
  });

  it('notices a domain that was defined around the proxy, and gives it what it lacks before its first start', async () => {
    const { reconciler, registry, kinds } = service(rule('before-first-run'));
    await reconciler.connected(await connect());
    const domain = await somebody.defineDomain(vm('sly', hostdev(NVME)));

    await vi.waitFor(() => expect(kinds()).toEqual(['bypassed', 'redefined']), 5_000);
    await somebody.startDomain(domain);
    await vi.waitFor(() => expect(kinds()).toContain('started'), 5_000);
    expect(registry.get(domain.uuid)).toMatchObject({ state: 'has-run', ranRestricted: [NVME] });
  });

  it('knows with what a domain has run that stops before it can be looked at, from the hook', async () => {
    const { reconciler, registry, starts, journal } = service(rule('before-first-run'));
    await reconciler.connected(await connect());
    const domain = await somebody.defineDomain(vm('brief', ''));
    await vi.waitFor(() => expect(registry.get(domain.uuid)?.verdict).toBeDefined(), 5_000);
    starts.places.add(domain.uuid, { devices: [NVME], restricted: [NVME] });
    await somebody.startDomain(domain);
    await vi.waitFor(() => expect(registry.get(domain.uuid)?.state).toBe('has-run'), 5_000);

    // With the event, not with the look at it a moment later.
    const first = journal.domains.find(({ state }) => state === 'has-run');
    expect(first).toMatchObject({ devices: [NVME], ranRestricted: [NVME] });
  });

  it('marks a domain that runs without what policy asks for, also one that started before us', async () => {
    await somebody.startDomain(await somebody.defineDomain(vm('open', hostdev(NVME))));
    const { reconciler, registry, journal } = service(rule('always'));
    await reconciler.connected(await connect());

    expect(registry.find(undefined, 'open')).toMatchObject({ active: true, unprotected: true });
    expect(journal.events).toMatchObject([
      { kind: 'started-unprotected', detail: expect.stringContaining(`${NVME}: unassigned-extended`) },
    ]);
    // What it could not get while it ran it gets when it stops.
    await somebody.destroyDomain(await somebody.domainByName('open'));
    await vi.waitFor(() => expect(journal.events.at(-1)!.kind).toBe('redefined'), 5_000);
    expect(await inactive('open')).toMatch(BRIDGE);
  });

  it("has the kernel guard's rules removed when a domain stops, and not when it is started again at once", async () => {
    const { reconciler, registry, arming, removed, kinds } = service(policyOf('{ name: all, mode: off }'));
    await reconciler.connected(await connect());
    const domain = await somebody.defineDomain(vm('user', hostdev(NVME)));
    await somebody.startDomain(domain);
    const active = { active: true, devices: [NVME] };
    await vi.waitFor(() => expect(registry.get(domain.uuid)).toMatchObject(active), 5_000);
    await somebody.destroyDomain(domain);
    await vi.waitFor(() => expect(removed).toEqual([NVME]), 5_000);

    await somebody.startDomain(domain);
    await vi.waitFor(() => expect(registry.get(domain.uuid)).toMatchObject(active), 5_000);
    await somebody.destroyDomain(domain);
    // As the hook does it; the stop may have been looked at by now.
    const removedBefore = [...removed];
    arming.arm({ id: 'wd-1', domain, devices: [{ source: NVME }] } as unknown as Decision);
    await somebody.startDomain(domain);
    await vi.waitFor(() => expect(kinds().filter((kind) => kind === 'stopped')).toHaveLength(2), 5_000);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(removed).toEqual(removedBefore);
  });

  it('gives up where another program defines the domain back each time', async () => {
    const { reconciler, kinds } = service(rule('before-first-run'));
    await reconciler.connected(await connect());
    const { uuid } = await somebody.defineDomain(vm('fought-over', hostdev(NVME)));
    for (let round = 0; round < 6; round += 1) {
      const before = kinds().length;
      await vi.waitFor(() => expect(kinds().length).toBeGreaterThan(before), 5_000).catch(() => undefined);
      await somebody.defineDomain(vm('fought-over', hostdev(NVME), uuid));
    }
    expect(kinds().filter((kind) => kind === 'redefined')).toHaveLength(3);
  }, 60_000);

  it('says nothing again after a restart while nothing has changed', async () => {
    const first = service(rule('before-first-run'));
    await first.reconciler.connected(await connect());
    await somebody.defineDomain(vm('same', hostdev(NVME)));
    await vi.waitFor(() => expect(first.kinds()).toContain('redefined'), 5_000);

    const second = service(rule('before-first-run'), first.registry);
    await second.reconciler.connected(await connect());
    expect([second.journal.decisions, second.journal.events]).toEqual([[], []]);
  });

  it('decides anew about every domain when policy has changed', async () => {
    await somebody.defineDomain(vm('plain', ''));
    const { reconciler, decisions, journal } = service(rule('always'));
    await reconciler.connected(await connect());
    expect(journal.decisions).toHaveLength(1);

    decisions.replace({ policy: rule('never') });
    await reconciler.reconcileAll();
    expect(journal.decisions).toHaveLength(2);
  });

  it('remembers the past of a domain that is undefined and defined again', async () => {
    const { reconciler, registry } = service(rule('before-first-run'));
    await reconciler.connected(await connect());
    const domain = await somebody.defineDomain(vm('nova', ''));
    await somebody.startDomain(domain);
    await vi.waitFor(() => expect(registry.get(domain.uuid)?.state).toBe('has-run'), 5_000);
    await somebody.destroyDomain(domain);
    await somebody.undefineDomain(domain);
    await vi.waitFor(() => expect(registry.get(domain.uuid)?.persistent).toBe(false), 5_000);

    expect(registry.pastOf(domain.uuid, 'nova').state).toBe('has-run');
    expect(registry.pastOf(undefined, 'never-seen').state).toBe('new');
    // A look at it that was under way when it went may come to its end only now.
    await vi.waitFor(() => {
      registry.forgetGone(new Date(Date.now() + 1000));
      expect(registry.get(domain.uuid)).toBeUndefined();
    }, 5_000);
  });
});

function vm(name: string, devices: string, uuid?: string): string {
  return (
    `<domain type='qemu'><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<memory unit='MiB'>32</memory>` +
    "<os><type arch='x86_64' machine='q35'>hvm</type></os>" +
    `<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>${devices}</devices></domain>`
  );
}
