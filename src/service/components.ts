import type { Component } from '../api/components.js';
import type { GuardWatch } from '../guard/guard-watch.js';
import type { HostSwitch } from '../host/host-switch.js';
import type { DecisionJournal } from '../store/decision-journal.js';

/** The store: no VM depends on it, since decisions are made without it and written down later. */
export function storeComponent(journal: DecisionJournal): Component {
  return {
    name: 'store',
    critical: false,
    status: () => {
      const { state, pending, lastError } = journal.status();
      if (state === 'ok') return { state: 'up', detail: `${pending} entries wait to be written` };
      return { state: 'down', detail: `${pending} entries wait: ${lastError ?? 'the store is away'}` };
    },
  };
}

export function switchComponent(hostSwitch: HostSwitch): Component {
  return {
    name: 'switch',
    critical: false,
    status: () => {
      const { mode, source, problem } = hostSwitch;
      if (problem) return { state: 'degraded', detail: `${mode} stays in force: ${problem.message}` };
      return { state: 'up', detail: `${mode}, by ${source}` };
    },
  };
}

/** The kernel guard; without it domains are protected by other means, and that is no fault of the service. */
export function guardComponent(watch: Pick<GuardWatch, 'found'>): Component {
  return {
    name: 'kernel-guard',
    critical: false,
    status: () => {
      const { state, detail } = watch.found;
      return { state: state === 'ready' ? 'up' : 'degraded', detail };
    },
  };
}
