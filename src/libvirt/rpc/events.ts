import type { XdrReader } from './xdr-reader.js';
import { readDomainRef, readNetworkRef, type DomainRef, type NetworkRef } from './types.js';

/** What happened to a domain. `event` and `detail` of a lifecycle event are `virDomainEventType` and its detail. */
export type DomainEvent =
  | { kind: 'lifecycle'; domain: DomainRef; event: number; detail: number }
  | { kind: 'reboot'; domain: DomainRef }
  | {
      kind: 'device-added' | 'device-removed' | 'device-removal-failed';
      domain: DomainRef;
      /** libvirt's alias of the device, `hostdev0` for one. */
      alias: string;
    };

/** `virNetworkEventLifecycleType`; its detail is always 0. */
export interface NetworkEvent {
  kind: 'lifecycle';
  network: NetworkRef;
  event: number;
  detail: number;
}

/** `virDomainEventType` */
export const DOMAIN_LIFECYCLE = {
  defined: 0,
  undefined: 1,
  started: 2,
  suspended: 3,
  resumed: 4,
  stopped: 5,
  shutdown: 6,
  pmSuspended: 7,
  crashed: 8,
} as const;

/** `virNetworkEventLifecycleType` */
export const NETWORK_LIFECYCLE = { defined: 0, undefined: 1, started: 2, stopped: 3 } as const;

/** A kind of event: the number it is registered by, that of the message it comes in, and what follows the callback's id. */
export interface EventKind<Event> {
  id: number;
  message: number;
  read(reader: XdrReader): Event;
}

function readDeviceEvent(
  kind: 'device-added' | 'device-removed' | 'device-removal-failed',
): (reader: XdrReader) => DomainEvent {
  return (reader) => ({ kind, domain: readDomainRef(reader), alias: reader.string() });
}

/** `virDomainEventID` and `REMOTE_PROC_DOMAIN_EVENT_CALLBACK_*` */
export const DOMAIN_EVENTS: readonly EventKind<DomainEvent>[] = [
  {
    id: 0,
    message: 318,
    read: (reader) => ({
      kind: 'lifecycle',
      domain: readDomainRef(reader),
      event: reader.i32(),
      detail: reader.i32(),
    }),
  },
  { id: 1, message: 319, read: (reader) => ({ kind: 'reboot', domain: readDomainRef(reader) }) },
  { id: 15, message: 333, read: readDeviceEvent('device-removed') },
  { id: 19, message: 354, read: readDeviceEvent('device-added') },
  { id: 22, message: 367, read: readDeviceEvent('device-removal-failed') },
];

/** `virNetworkEventID` and `REMOTE_PROC_NETWORK_EVENT_LIFECYCLE` */
export const NETWORK_EVENTS: readonly EventKind<NetworkEvent>[] = [
  {
    id: 0,
    message: 315,
    read: (reader) => ({
      kind: 'lifecycle',
      network: readNetworkRef(reader),
      event: reader.i32(),
      detail: reader.i32(),
    }),
  },
];
