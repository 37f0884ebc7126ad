/** What `hooks/qemu` is told by `hook.conf`, by its keys. */
export interface HookConfiguration {
  FAILURE: string;
  SOCKET: string;
  MODE_FILE: string;
}

/** What the hook goes by where its file says nothing. */
const DEFAULTS: HookConfiguration = {
  FAILURE: 'closed',
  SOCKET: '/run/vfio-warden/hook.sock',
  MODE_FILE: '/var/lib/vfio-warden/mode',
};

/** Reads the file as the hook does: lines of KEY=VALUE, the last of a key counts, all others are passed over. */
function readHookConfiguration(text: string): HookConfiguration {
  const read = { ...DEFAULTS };
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    const key = line.slice(0, Math.max(0, at));
    if (Object.hasOwn(DEFAULTS, key)) read[key as keyof HookConfiguration] = line.slice(at + 1);
  }
  return read;
}

/** Where the hook, by its file, would act otherwise than the service: one sentence each. */
export function hookDifferences(text: string, service: HookConfiguration): string[] {
  const hook = readHookConfiguration(text);
  return (Object.keys(DEFAULTS) as (keyof HookConfiguration)[])
    .filter((key) => hook[key] !== service[key])
    .map((key) => `the hook has ${key}=${hook[key]}, the service ${service[key]}`);
}
