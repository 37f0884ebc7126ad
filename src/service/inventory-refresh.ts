import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import type { DecisionService } from '../decision/decision.service.js';
import { loadInventory } from '../decision/load-basis.js';
import type { InventoryMemory } from '../host/inventory-memory.js';
import type { Inventory } from '../pci/inventory.js';
import type { InventoryProblem } from '../pci/sysfs-inventory.js';
import type { Part } from './lifecycle.js';

/** Milliseconds between two readings: a device that was plugged in is known after this time at the latest. */
const INTERVAL_MS = 5 * 60 * 1000;

/** Reads the inventory again and again, and gives each new one to the decisions that follow. */
export class InventoryRefresh implements Part {
  readonly name = 'inventory';
  private timer: NodeJS.Timeout | undefined;
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
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** One reading after the other. What fails leaves the inventory as it was. */
  refresh(): Promise<void> {
    this.running = this.running.then(() => this.read());
    return this.running;
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
