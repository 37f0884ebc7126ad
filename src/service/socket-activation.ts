/** First descriptor that systemd passes (sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/** More sockets than any unit of ours has. */
const MAX_DESCRIPTORS = 64;

/**
 * The listening sockets that systemd opened for this process, by the name of their socket unit. Empty where there are
 * none, or where the variables were meant for another process.
 */
export function activatedSockets(
  environment: NodeJS.ProcessEnv,
  processId = process.pid,
): ReadonlyMap<string, readonly number[]> {
  const sockets = new Map<string, number[]>();
  const count = Number(environment.LISTEN_FDS);
  if (environment.LISTEN_PID !== String(processId)) return sockets;
  if (!Number.isInteger(count) || count < 1 || count > MAX_DESCRIPTORS) return sockets;
  const names = environment.LISTEN_FDNAMES?.split(':') ?? [];
  for (let index = 0; index < count; index += 1) {
    const name = names[index] ?? 'unknown';
    sockets.set(name, [...(sockets.get(name) ?? []), FIRST_DESCRIPTOR + index]);
  }
  return sockets;
}
