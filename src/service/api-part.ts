import type { Logger } from 'pino';
import { TokensFile } from '../api/access/tokens-file.js';
import type { Listener } from '../api/listen.js';
import type { AppParts } from '../app.module.js';
import type { Settings } from '../config/settings.js';
import { STOP_MS, type Part } from './lifecycle.js';
import { NestLogger } from './nest-logger.js';

/** Nest takes longer to load than all else together: it may begin while something else is waited for. */
export function loadApi() {
  const modules = Promise.all([import('../create-app.js'), import('../api/listen.js')]);
  // Nobody awaits it where the start fails before.
  modules.catch(() => undefined);
  return modules;
}

/** The REST API; stopping waits for the requests in flight. */
export class ApiPart implements Part {
  readonly name = 'api';
  private tokens: TokensFile | undefined;
  private listener: Listener | undefined;

  constructor(
    private readonly parts: AppParts,
    private readonly modules: ReturnType<typeof loadApi>,
    private readonly settings: Settings,
    private readonly logger: Logger,
  ) {}

  async start(): Promise<void> {
    const [{ createApp }, { listen }] = await this.modules;
    const { tokensFile } = this.settings;
    if (tokensFile !== undefined) {
      this.tokens = await TokensFile.open(tokensFile, ({ message }) => this.logger.error(message));
    }
    const app = await createApp({ ...this.parts, ...(this.tokens && { tokens: this.tokens }) });
    app.useLogger(new NestLogger(this.logger));
    this.listener = await listen(app, this.settings);
  }

  async stop(): Promise<void> {
    this.tokens?.close();
    await this.listener?.close(STOP_MS);
  }
}
