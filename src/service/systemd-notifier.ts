import { execFile } from 'node:child_process';

/** Milliseconds that a message may take; systemd answers at once, unless it is in trouble itself. */
const TIMEOUT_MS = 5000;

/**
 * Tells systemd of the service's state (sd_notify(3)); does nothing where systemd did not start it. Node has no datagram
 * unix sockets, so `systemd-notify` sends the message, for which the unit needs `NotifyAccess=all`.
 */
export class SystemdNotifier {
  private readonly wanted: boolean;

  constructor(
    environment: NodeJS.ProcessEnv,
    /** Takes the reason why systemd could not be told. */
    private readonly onFailure: (reason: string) => void,
  ) {
    this.wanted = Boolean(environment.NOTIFY_SOCKET);
  }

  ready(status: string): Promise<void> {
    return this.send('READY=1', `STATUS=${status}`);
  }

  stopping(): Promise<void> {
    return this.send('STOPPING=1', 'STATUS=finishing calls in flight');
  }

  status(text: string): Promise<void> {
    return this.send(`STATUS=${text}`);
  }

  private send(...variables: string[]): Promise<void> {
    if (!this.wanted) return Promise.resolve();
    // A line break would begin another variable.
    const lines = variables.map((variable) => variable.replace(/[\r\n]+/g, ' '));
    return new Promise((resolve) => {
      execFile('systemd-notify', lines, { timeout: TIMEOUT_MS }, (error) => {
        if (error) this.onFailure(`systemd-notify: ${error.message}`);
        resolve();
      });
    });
  }
}
