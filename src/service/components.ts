import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.js';
import { hookDifferences } from '../libvirt/hook/hook-configuration.js';
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

/**
 * libvirt's hook has a file of its own, since it must know what to do while the service is dead: the two must agree. Read
 * at each look, since the hook reads it at each call.
 */
export function hookComponent(settings: Settings): Component {
  const { hookConfiguration: file, hookFailure, hookSocket, stateDirectory } = settings;
  return {
    name: 'hook',
    critical: false,
    status: () => {
      try {
        const differences = hookDifferences(readFileSync(file, 'utf8'), {
          FAILURE: hookFailure,
          SOCKET: hookSocket,
          MODE_FILE: join(stateDirectory, 'mode'),
        });
        if (differences.length > 0)
          return { state: 'degraded', detail: `${differences.join('; ')}: see ${file}` };
        return { state: 'up', detail: `${file} agrees with the service` };
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
          return { state: 'up', detail: `there is no ${file} to compare: no hook, or one with its defaults` };
        return { state: 'degraded', detail: `${file} cannot be read: ${String(error)}` };
      }
    },
  };
}
