import { plainToInstance } from 'class-transformer';
import { IsIn, IsOptional, IsString, Matches, validateSync } from 'class-validator';
import { fileURLToPath } from 'node:url';
import { LocatedError } from '../located-error.js';
import { MODES, type Mode } from '../policy/policy-terms.js';

/** The package's own folder, where the shipped policies and risk entries are. */
export const PACKAGE_ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Everything that can be configured; each field is an environment variable `WARDEN_...`. */
export class Settings {
  /** Directory with policy documents (`*.yaml`). */
  @IsString()
  policies = `${PACKAGE_ROOT}policies`;

  /** Directory with risk entries (`*.yaml`). */
  @IsString()
  risks = `${PACKAGE_ROOT}policies/risks`;

  /** Inventory file to decide by; without it the host's own sysfs is read. */
  @IsOptional()
  @IsString()
  inventory?: string;

  /** Where sysfs is mounted. */
  @IsString()
  sysfs = '/sys';

  /** The emulator that libvirt starts. */
  @IsString()
  emulator = '/usr/bin/qemu-system-x86_64';

  /** The host's switch. */
  @IsIn(MODES)
  mode: Mode = 'enforce';

  /** `unix:PATH`, or a port on the loopback address. */
  @Matches(/^(unix:\/.+|(127\.0\.0\.1|\[::1\]):\d{1,5})$/, {
    message: '$property must be unix:/PATH or 127.0.0.1:PORT: the API has no authentication yet',
  })
  listen = 'unix:/run/vfio-warden/api.sock';
}

const VARIABLES: Record<string, keyof Settings> = {
  WARDEN_POLICIES: 'policies',
  WARDEN_RISKS: 'risks',
  WARDEN_INVENTORY: 'inventory',
  WARDEN_SYSFS: 'sysfs',
  WARDEN_EMULATOR: 'emulator',
  WARDEN_MODE: 'mode',
  WARDEN_LISTEN: 'listen',
};

/**
 * Reads the settings from the environment.
 *
 * @throws LocatedError that names the variable
 */
export function readSettings(environment: NodeJS.ProcessEnv): Settings {
  const given = Object.fromEntries(
    Object.entries(VARIABLES).flatMap(([variable, field]) => {
      const value = environment[variable];
      return value === undefined || value === '' ? [] : [[field, value]];
    }),
  );
  const settings = plainToInstance(Settings, given);
  const [error] = validateSync(settings);
  if (error) {
    const variable = Object.entries(VARIABLES).find(([, field]) => field === error.property)?.[0];
    throw new LocatedError(
      Object.values(error.constraints ?? {}).join(', '),
      variable ?? error.property,
      'Correct the environment variable and start again.',
    );
  }
  return settings;
}
