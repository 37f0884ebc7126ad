import type { Connection } from './connection.js';
import type { EventKind } from './events.js';
import type { Procedure } from './procedures.js';
import type { XdrReader } from './xdr-reader.js';

/** Ends a subscription: its listener is not called again. */
export type Unsubscribe = () => void;

/**
 * One family of a connection's events, and who listens. libvirt takes one registration of a kind from a connection and
 * refuses a second, so listeners share it; it ends with the connection.
 */
export class EventFeed<Event> {
  private readonly listeners = new Set<{ listener: (event: Event) => void }>();
  private readonly registrations = new Map<EventKind<Event>, Promise<number>>();

  constructor(
    private readonly kinds: readonly EventKind<Event>[],
    private readonly register: Procedure<[event: number], number>,
  ) {}

  /** Resolves once libvirt has registered every kind: what happens after that is told. */
  async subscribe(connection: Connection, listener: (event: Event) => void): Promise<Unsubscribe> {
    const subscription = { listener };
    this.listeners.add(subscription);
    try {
      await Promise.all(this.kinds.map((kind) => this.registered(connection, kind)));
    } catch (error) {
      this.listeners.delete(subscription);
      throw error;
    }
    return () => void this.listeners.delete(subscription);
  }

  /**
   * Takes a message, if it is one of this feed's events.
   *
   * @throws ProtocolError where it cannot be read
   */
  take(message: number, payload: XdrReader): void {
    const kind = this.kinds.find((kind) => kind.message === message);
    if (!kind) return;
    // The id of the registration, of which there is but one.
    payload.i32();
    const event = kind.read(payload);
    payload.end();
    // Apart from the reading of frames: a listener that throws must not take other frames with it.
    queueMicrotask(() => {
      for (const { listener } of this.listeners) listener(event);
    });
  }

  private registered(connection: Connection, kind: EventKind<Event>): Promise<number> {
    const known = this.registrations.get(kind);
    if (known) return known;
    const registration = connection.call(this.register, kind.id);
    this.registrations.set(kind, registration);
    registration.catch(() => this.registrations.delete(kind));
    return registration;
  }
}
