import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { PACKAGE_ROOT, type Settings } from '../config/settings.js';
import { DecisionRecorder } from '../store/decision-recorder.js';
import { DecisionService } from '../decision/decision.service.js';
import { guardRulesOf } from '../decision/guard-rules.js';
import { FunctionRelease } from '../guard/function-release.js';
import { FilterWatch } from '../filter/filter-watch.js';
import { GuardArming } from '../guard/guard-arming.js';
import { GuardWatch } from '../guard/guard-watch.js';
import { GuardProgram } from '../host/guard/guard-program.js';
import { loadHost } from '../decision/load-basis.js';
import { probeHost } from '../host/probe-host.js';
import { PolicyActivation } from '../policy/activation/policy-activation.js';
import type { PolicyProcess } from '../policy/activation/policy-process.js';
import { RevisionStore } from '../policy/activation/revision-store.js';
import { FileHostSwitch } from '../host/host-switch.js';
import { AuditTrail } from '../host/vfio-parameters/audit-trail.js';
import { VfioParameters } from '../host/vfio-parameters/vfio-parameters.js';
import { InventoryMemory } from '../host/inventory-memory.js';
import { DomainRegistry } from '../libvirt/domain-registry.js';
import { CallJudge } from '../libvirt/proxy/call-judge.js';
import { CallRecorder } from '../libvirt/proxy/call-recorder.js';
import { XmlJudge } from '../libvirt/proxy/xml-judge.js';
import { Reconciler } from '../libvirt/reconciler/reconciler.js';
import { HookEndpoint, type Judge } from '../libvirt/hook/hook-endpoint.js';
import { HookService } from '../libvirt/hook/hook.service.js';
import { HostdevNetworks } from '../libvirt/hostdev-networks.js';
import { startKnowledge } from '../libvirt/hooked-starts.js';
import { Metrics } from '../metrics/metrics.js';
import { readPciIds } from '../pci/pci-ids-file.js';
import { ApiPart, loadApi } from './api-part.js';
import { firstPolicies } from './first-policies.js';
import { guardComponent, hookComponent, storeComponent, switchComponent } from './components.js';
import { HostRefresh } from './host-refresh.js';
import { InventoryRefresh } from './inventory-refresh.js';
import type { Part } from './lifecycle.js';
import { LibvirtPart } from './libvirt-part.js';
import { libvirtSockets } from './libvirt-sockets.js';
import { PolicyPart } from './policy-part.js';
import { filePin, originOf, pinFile, policyDirectory } from './policy-setup.js';
import { ProxyPart } from './proxy-part.js';
import { parameterFiles } from './parameter-setup.js';
import { ParameterWatch } from './parameter-watch.js';
import { StorePart } from './store-part.js';
import { WarmUp } from './warm-up.js';

export interface Service {
  /** In the order of their start. */
  parts: readonly Part[];
  /** Reads policies, risk entries, host and inventory again; what is broken leaves everything as it was. */
  reload(): Promise<void>;
}

/**
 * Puts the service together. Nothing listens yet.
 *
 * @throws LocatedError for what is wrong with the files that it reads
 */
export async function compose(
  settings: Settings,
  policyProcess: PolicyProcess,
  logger: Logger,
): Promise<Service> {
  const { hostName, hookFailure, incoming, proxySocket, stateDirectory } = settings;
  await makeState(stateDirectory, logger);
  const clock = () => new Date();
  const activation: PolicyActivation = new PolicyActivation({
    origin: await originOf(settings),
    reader: policyProcess,
    store: new RevisionStore(policyDirectory(settings)),
    basis: () => decisions.basis,
    apply: ({ policy, risks }) => {
      decisions.replace({ policy, risks });
      void parameterWatch.look();
      reconcileAll();
    },
    domains: () => reconciler.documents(),
    hostdevNetworks: () => networks.names,
    pin: filePin(pinFile(settings)),
    brakePercent: settings.policyBrake,
    looked: ({ result, reason }) => metrics.policySynced(reason ?? result),
    tell: (event) => {
      logger[event.kind === 'policy-activated' ? 'info' : 'warn'](event.detail);
      journal.event({ host: hostName, at: clock().toISOString(), ...event });
    },
    clock,
  });
  const apiModules = loadApi();
  const [policies, hostBasis, names, version] = await Promise.all([
    firstPolicies(settings, activation, logger),
    loadHost(settings),
    readPciIds(),
    readVersion(),
  ]);
  const loaded = { ...policies, ...hostBasis };
  const storage = new StorePart(settings, logger);
  const { store, journal } = storage;
  const metrics = new Metrics(version);
  const decisions = new DecisionService(loaded);
  const recorder = new DecisionRecorder(
    decisions,
    journal,
    hostName,
    clock,
    ({ verdict }, { surface }, seconds) => metrics.decided(surface, verdict, seconds),
  );
  const registry = new DomainRegistry(hostName, journal, clock);
  const networks = new HostdevNetworks();
  const program = new GuardProgram(settings.wardenGuard);
  const guardWatch: GuardWatch = new GuardWatch({
    program,
    registry,
    journal,
    host: hostName,
    hostMode: () => hostSwitch.mode,
    onProbe: (kernelGuard) => {
      decisions.replace({ host: { ...decisions.basis.host, kernelGuard } });
      void reconciler.reconcileAll().catch((error: unknown) => logger.warn({ err: error }, 'not reconciled'));
    },
    onAttached: () => arming.forget(),
    onGap: () => metrics.guardGap(),
    counts: (device, outcome, accesses) => metrics.guardedAccess(device, outcome, accesses),
    log: logger,
    clock,
  });
  const parameterWatch = new ParameterWatch({
    parameters: new VfioParameters(parameterFiles(settings)),
    trail: new AuditTrail(),
    registry,
    journal,
    host: hostName,
    sysfs: settings.sysfs,
    basis: () => decisions.basis,
    onProbe: (kernelParameters) => {
      decisions.replace({ host: { ...decisions.basis.host, kernelParameters } });
      reconcileAll();
    },
    blocked: (device, accesses) => metrics.parametersBlocked(device, accesses),
    log: logger,
    clock,
  });
  const arming = new GuardArming({
    program,
    ready: () => guardWatch.ready,
    rulesOf: (decision) => guardRulesOf(decision, decisions.basis.inventory, decisions.basis.risks),
    onArmed: (decision, devices) => guardWatch.arm(decision, devices),
    onReleased: (devices) => guardWatch.disarm(devices),
  });
  const filterWatch = new FilterWatch({
    journal,
    host: hostName,
    domainLogs: settings.domainLogs,
    readBack: (outcome) => metrics.filterReadBack(outcome),
    log: logger,
    clock,
  });
  const starts = startKnowledge(clock);
  const reconciler = new Reconciler({
    recorder,
    registry,
    journal,
    networks,
    starts,
    host: hostName,
    redefine: settings.reconcile,
    armRunning: (decision) => arming.armRunning(decision),
    release: new FunctionRelease({ registry, arming, log: logger }),
    filterWatch,
    log: logger,
    clock,
  });
  const reconcileAll = () => {
    void reconciler.reconcileAll().catch((error: unknown) => logger.warn({ err: error }, 'not reconciled'));
  };
  const policyPart = new PolicyPart({
    activation,
    decisions,
    pinFile: pinFile(settings),
    pollSeconds: settings.policyPollSeconds,
    timePassed: () => {
      logger.info('an exemption or a rollout step began or ended: every domain is decided again');
      reconcileAll();
    },
    logger,
    clock,
  });
  const hostSwitch = await FileHostSwitch.open({
    file: join(stateDirectory, 'mode'),
    configured: settings.mode,
    onChange: ({ from, to, byHand }) => {
      decisions.replace({ hostMode: to });
      void guardWatch.follow(to);
      void parameterWatch.look();
      const detail = `the host switch went from ${from} to ${to}`;
      logger.warn({ byHand }, detail);
      // Where the API changed it, the API has told who asked for it.
      if (byHand) {
        journal.event({
          host: hostName,
          at: clock().toISOString(),
          kind: 'mode-changed',
          actor: 'file',
          detail,
        });
      }
      reconcileAll();
    },
    onProblem: ({ message }) => logger.error(message),
  });

  const memory = new InventoryMemory(join(stateDirectory, 'inventory.json'), hostName);
  const inventory = new InventoryRefresh(settings, decisions, memory, logger);
  inventory.tell(loaded.inventoryProblems);

  const hook = new HookService(
    {
      recorder,
      domains: registry,
      journal,
      starts,
      hostdevNetworks: () => networks.names,
      hostMode: () => hostSwitch.mode,
      arm: (decision) => {
        reconciler.starting(decision.domain);
        return arming.arm(decision);
      },
      clock,
    },
    { host: hostName, failure: hookFailure, incoming, proxySocket },
  );

  const libvirt = new LibvirtPart({
    sockets: () => libvirtSockets(settings),
    reconciler,
    networks,
    registry,
    store,
    host: hostName,
    logger,
    keepGoneDays: settings.retentionDays,
  });
  const calls = new CallRecorder({
    journal,
    registry,
    host: hostName,
    clock,
    count: (outcome) => metrics.proxyCall(outcome),
  });
  const xmlJudge = new XmlJudge({
    recorder,
    registry,
    hostdevNetworks: () => networks.names,
    domainXml: (domain, flags) => libvirt.domainXml(domain, flags),
    arm: (decision) => arming.arm(decision),
  });
  const judge = new CallJudge(
    xmlJudge,
    settings.proxyFailure,
    () => hostSwitch.mode,
    (mode, call, error) => calls.failed(mode, call, error),
  );
  const proxy = new ProxyPart(settings, judge, calls, logger);
  metrics.watch({
    store: () => journal.status(),
    mode: () => hostSwitch.mode,
    guardReady: () => guardWatch.ready,
    parameters: () => parameterWatch.inForce,
    libvirtConnected: () => libvirt.connected,
    unprotectedRunning: () => (libvirt.connected ? registry.unprotectedRunning : undefined),
    unverifiedRunning: () => (libvirt.connected ? filterWatch.unverifiedRunning : undefined),
    staleRunning: () => (libvirt.connected ? registry.staleRunning : undefined),
    policy: () => ({ ...activation.status(), exemptions: decisions.basis.policy.exemptions ?? [] }),
  });

  const hookFile = hookComponent(settings);
  const { state: hookState, detail: hookDetail } = hookFile.status();
  if (hookState !== 'up') logger.warn(hookDetail);
  const components = [
    libvirt.component,
    proxy.component,
    storeComponent(journal),
    switchComponent(hostSwitch),
    guardComponent(guardWatch),
    parameterWatch.component,
    hookFile,
    policyPart.component,
  ];
  const policyControl = {
    status: () => activation.status(),
    sync: () => policyPart.sync(),
    approve: (key: string, actor: string) => activation.approve(key, actor),
    pin: (key: string, actor: string) => activation.pin(key, actor),
    unpin: (actor: string) => activation.unpin(actor),
  };
  const api = {
    decisions,
    policyControl,
    names,
    store,
    journal,
    hostSwitch,
    parameters: () => parameterWatch.status,
    components,
    metrics,
    hostName,
    version,
  };
  return {
    parts: [
      storage,
      inventory,
      guardWatch,
      parameterWatch,
      new HostRefresh(settings, decisions, logger),
      libvirt,
      new HookEndpoint(counted(hook, metrics), settings.hookSocket),
      proxy,
      policyPart,
      new ApiPart(api, apiModules, settings, logger),
      new WarmUp(() => decisions.basis),
    ],
    reload: async () => {
      try {
        decisions.replace({ host: await probeHost(settings) });
        const { result, reason, detail } = await policyPart.sync();
        if (result === 'refused') {
          logger.error(`not reloaded; what was loaded before stays in use: ${reason}: ${detail}`);
        } else logger.info({ policy: decisions.basis.policy.revision.slice(0, 12), result }, 'reloaded');
        await reconciler.reconcileAll();
      } catch (error) {
        logger.error({ err: error }, 'not reloaded; what was loaded before stays in use');
      }
      await inventory.refresh();
    },
  };
}

/** Tells metrics what became of each call of the hook. */
function counted(hook: HookService, metrics: Metrics): Judge {
  return {
    judge: (call) => {
      const answer = hook.judge(call);
      const failed = 'failed' in answer && (answer.action === 'veto' ? 'failed-closed' : 'failed-open');
      metrics.hookCall(call.operation, failed || answer.action);
      return answer;
    },
  };
}

/** Systemd makes the directory; elsewhere the service does. What cannot be kept there is no reason not to decide. */
async function makeState(directory: string, logger: Logger): Promise<void> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o750 });
  } catch (error) {
    logger.error({ err: error }, 'the state directory cannot be made');
  }
}

async function readVersion(): Promise<string> {
  const text = await readFile(join(PACKAGE_ROOT, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
