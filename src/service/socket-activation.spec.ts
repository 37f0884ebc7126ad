import { describe, expect, it } from 'vitest';
import { activatedSockets } from './socket-activation.js';

describe('activatedSockets', () => {
  const environment = {
    LISTEN_PID: '42',
    LISTEN_FDS: '3',
    LISTEN_FDNAMES: 'vfio-warden-proxy.socket:vfio-warden-proxy-ro.socket:vfio-warden-proxy.socket',
  };

  it('gives the descriptors by the name of their unit', () => {
    expect(Object.fromEntries(activatedSockets(environment, 42))).toEqual({
      'vfio-warden-proxy.socket': [3, 5],
      'vfio-warden-proxy-ro.socket': [4],
    });
  });

  it.each([
    ['there are none', {}],
    ['they are for another process', { ...environment, LISTEN_PID: '41' }],
    ['their number is none', { ...environment, LISTEN_FDS: '1e9' }],
  ])('gives none where %s', (_, given) => {
    expect(activatedSockets(given, 42).size).toBe(0);
  });
});
