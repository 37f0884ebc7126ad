import { conventionalBus } from './conventional-bus.js';
import { i440fx } from './i440fx.js';
import { kernelGuard } from './kernel-guard.js';
import { kernelParameters } from './kernel-parameters.js';
import type { Mechanism } from './mechanism.js';
import { qemuConfigFilter } from './qemu-config-filter.js';

/** Every mechanism that closes something, least disruptive first; `deny` closes nothing and is the last resort. */
export const CLOSING_MECHANISMS: readonly Mechanism[] = [
  kernelGuard,
  kernelParameters,
  qemuConfigFilter,
  conventionalBus,
  i440fx,
];
