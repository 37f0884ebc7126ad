import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import type { DecisionService } from '../decision/decision.service.js';
import { loadInventory } from '../decision/load-basis.js';
import type { InventoryMemory } from '../host/inventory-memory.js';
import type { Inventory } from '../pci/inventory.js';
import type { InventoryProblem } from '../pci/sysfs-inventory.js';
import type { Part } from './lifecycle.js';

/** Milliseconds between two readings of everything. */
const INTERVAL_MS = 5 * 60 * 1000;
/**
 * Milliseconds between two looks at which functions there are: one that was plugged in, or a virtual function that was
 * made, is known after this time. The kernel tells of them by netlink only, which Node does not speak.
 */
const LOOK_MS = 1000;

/** Reads the inventory again and again, and gives each new one to the decisions that follow. */
export class InventoryRefresh implements Part {
  readonly name = 'inventory';
  private timer: NodeJS.Timeout | undefined;
  private look: NodeJS.Timeout | undefined;
  private present = '';
  private running: Promise<void> = Promise.resolve();
  private told = '';

  constructor(
    private readonly settings: Settings,
    private readonly decisions: DecisionService,
    private readonly memory: InventoryMemory,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    const { inventory } = this.decisions.basis;
    await this.take(inventory);
    this.timer = setInterval(() => void this.refresh(), INTERVAL_MS);
    if (this.settings.inventory === undefined) {
      // Not what there is now: a function may have appeared since this inventory was read.
      this.present = listOf(inventory.functions.map(({ bdf }) => bdf));
      this.look = setInterval(() => void this.refreshIfOthers(), LOOK_MS);
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    clearInterval(this.look);
    await this.running;
  }

  /** One reading after the other. What fails leaves the inventory as it was. */
  refresh(): Promise<void> {
    this.running = this.running.then(() => this.read());
    return this.running;
  }

  private async refreshIfOthers(): Promise<void> {
    const now = await this.functionsNow();
    if (now === this.present) return;
    this.present = now;
    await this.refresh();
  }

  /** What cannot be listed is the reading's to tell. */
  private async functionsNow(): Promise<string> {
    return listOf(await readdir(join(this.settings.sysfs, 'bus/pci/devices')).catch(() => []));
  }

  private async read(): Promise<void> {
    try {
      const { inventory, problems } = await loadInventory(this.settings);
      this.tell(problems);
      await this.take(inventory);
    } catch (error) {
      this.logger.error({ err: error }, 'the inventory could not be read; the last one stays in use');
    }
  }

  private async take(reading: Inventory): Promise<void> {
    const { inventory, problem } = await this.memory.complete(reading, new Date());
    if (problem) this.logger.warn(problem.message);
    if (inventory.revision === this.decisions.basis.inventory.revision) return;
    this.decisions.replace({ inventory });
    this.logger.info({ functions: inventory.functions.length }, 'the inventory changed');
  }

  /** What could not be read; once, and not again at each reading. */
  tell(problems: readonly InventoryProblem[]): void {
    const text = JSON.stringify(problems);
    if (text === this.told) return;
    this.told = text;
    for (const { bdf, file, problem, remedy } of problems) {
      this.logger.warn({ device: bdf, file }, `${problem}. ${remedy}`);
    }
  }
}

function listOf(functions: readonly string[]): string {
  return functions.toSorted().join();
}
