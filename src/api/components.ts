/** A part of the service that can be away, as `/readyz` and `/v1/host` tell it. */
export interface Component {
  /** One word: `libvirt`, `store`, `proxy`. */
  name: string;
  /** Whether a VM depends on it: then the service is not ready while it is down. */
  critical: boolean;
  status(): ComponentStatus;
}

export interface ComponentStatus {
  /** `degraded`: it works, but not as it should. */
  state: 'up' | 'down' | 'degraded';
  /** What was seen, in words. */
  detail: string;
}
