import { describe, expect, it } from 'vitest';
import { hookDifferences } from './hook-configuration.js';

const SERVICE = {
  FAILURE: 'closed',
  SOCKET: '/run/vfio-warden/hook.sock',
  MODE_FILE: '/var/lib/vfio-warden/mode',
};

describe("what the hook's file says otherwise than the service", () => {
  it('is nothing where both go by their defaults, or the file says the same', () => {
    expect(hookDifferences('# a remark\n', SERVICE)).toEqual([]);
    expect(hookDifferences('FAILURE=open\nFAILURE=closed\n', SERVICE)).toEqual([]);
  });

  it('is told of each key, also of one that the file leaves out', () => {
    expect(hookDifferences('FAILURE=open\n', { ...SERVICE, SOCKET: '/elsewhere' })).toEqual([
      'the hook has FAILURE=open, the service closed',
      'the hook has SOCKET=/run/vfio-warden/hook.sock, the service /elsewhere',
    ]);
  });
});
