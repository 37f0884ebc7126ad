import { plainToInstance } from 'class-transformer';
import { IsIn, IsOptional, IsString, Matches, validateSync } from 'class-validator';
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FILTER_LIBRARY } from '../mitigation/qemu-config-filter.js';
import { IsWholeNumber } from '../documents/whole-number.js';
import { LocatedError, LocatedErrors } from '../located-error.js';
import { MODES, type Mode } from '../policy/policy-terms.js';
import {
  IsAbsolutePath,
  IsClosedSocketMode,
  IsGroupName,
  IsLabelList,
  IsPathList,
  IsSocketPath,
  IsSwitch,
} from './setting-constraints.js';

/** The package's own folder with a slash at its end, where the shipped policies and risk entries are. */
export const PACKAGE_ROOT = packageRoot(dirname(fileURLToPath(import.meta.url)));

/** Sources, compiled modules and bundles lie at different depths in it. */
function packageRoot(directory: string): string {
  if (existsSync(join(directory, 'package.json'))) return `${directory}/`;
  if (directory === dirname(directory))
    throw new Error('vfio-warden is not in its package: no package.json above it');
  return packageRoot(dirname(directory));
}

export const FAILURE_MODES = ['closed', 'open'] as const;
/** What a surface does with a domain that has assigned devices when it cannot decide: refuse it, or let it pass. */
export type FailureMode = (typeof FAILURE_MODES)[number];

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Everything that can be configured. The docstrings are what `docs/configuration.md` says. */
export class Settings {
  /** Directory with policy documents (`*.yaml`). */
  @IsString()
  policies = `${PACKAGE_ROOT}policies`;

  /** Directory with risk entries (`*.yaml`), which those of the policies are added to. */
  @IsString()
  risks = `${PACKAGE_ROOT}policies/risks`;

  /**
   * Git remote that policies come from: `https://...`, `ssh://...`, `USER@HOST:PATH` or `file:///...`, without a password.
   * The directory `policies` is decided by until its first revision is in force.
   */
  @IsOptional()
  @Matches(/^(https:\/\/|ssh:\/\/|file:\/\/\/|[\w.-]+@[\w.-]+:)(?![^/]*:[^/]*@)[^\s\0]{1,1000}$/, {
    message: '$property must be an address of https, ssh or file; passwords are for policyTokenFile',
  })
  policyGit?: string;

  /** A branch, `refs/tags/NAME`, or a commit of 40 hexadecimal digits. */
  @Matches(/^(?!-)(?!.*\.\.)[\w./-]{1,200}$/, { message: '$property must be a branch, a tag or a commit' })
  policyRef = 'main';

  /** Folder of the repository that the documents are in; without it its root. */
  @IsOptional()
  @Matches(/^(?!.*\.\.)[\w.-]+(\/[\w.-]+){0,15}$/, {
    message: '$property must be a folder, such as hosts/policies',
  })
  policyPath?: string;

  /** Seconds from one look at the policies to the next, 5 to 86400, or 0: only on reload and `wardenctl policy sync`. */
  @IsWholeNumber(0, 86_400)
  policyPollSeconds = 60;

  /** SSH signers that commits must be signed by (`ALLOWED SIGNERS` of ssh-keygen). With this, or `policyKeyring`, unsigned commits are refused. */
  @IsOptional()
  @IsAbsolutePath()
  policySigners?: string;

  /** File with GPG public keys that commits must be signed by. */
  @IsOptional()
  @IsAbsolutePath()
  policyKeyring?: string;

  /** Private key to fetch policies with over ssh. */
  @IsOptional()
  @IsAbsolutePath()
  policySshKey?: string;

  /** Host keys to trust when policies are fetched over ssh (`known_hosts`). */
  @IsOptional()
  @IsAbsolutePath()
  policyKnownHosts?: string;

  /** PEM file with the certificates to trust when policies are fetched over https; without it those of the system. */
  @IsOptional()
  @IsAbsolutePath()
  policyCaFile?: string;

  /** File with a bearer token, or with `USER:PASSWORD`, to fetch policies with over https. */
  @IsOptional()
  @IsAbsolutePath()
  policyTokenFile?: string;

  /**
   * Percent of the domains with assigned devices that a new revision may deny, or give other guest hardware, without
   * `wardenctl policy approve`: 0 to 100.
   */
  @IsWholeNumber(0, 100)
  policyBrake = 10;

  /** Inventory file to decide by; without it the host's own sysfs is read. */
  @IsOptional()
  @IsString()
  inventory?: string;

  /** Where sysfs is mounted. */
  @IsString()
  sysfs = '/sys';

  /** Where the host's root directory is: its `etc/modprobe.d` gets the parameters of vfio-pci, on a kernel that has them. */
  @IsString()
  hostRoot = '/';

  /** The emulator that libvirt starts. */
  @IsString()
  emulator = '/usr/bin/qemu-system-x86_64';

  /**
   * Other emulators that domains of this host name, as absolute paths with commas between them, 16 at most: each is asked what it
   * can filter. What a domain names and is in neither setting is never run, and its domain gets no config filter.
   */
  @IsOptional()
  @IsPathList()
  otherEmulators?: readonly string[];

  /** The program of the kernel guard. Where it is not there, domains are protected without the guard. */
  @IsAbsolutePath()
  wardenGuard = '/usr/sbin/warden-guard';

  /** The config filter that is preloaded into a QEMU without a filter of its own. */
  @IsAbsolutePath()
  filterLibrary = FILTER_LIBRARY;

  /** The host's switch: `off`, `observe` or `enforce`. The file `mode` in the state directory wins over it. */
  @IsIn(MODES)
  mode: Mode = 'enforce';

  /** Name of this node in decisions and events. */
  @Matches(/^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$/, { message: '$property must be a host name' })
  hostName = hostname();

  /** Labels of this node that policies can ask for, as `key=value`, with commas between them. */
  @IsOptional()
  @IsLabelList()
  hostLabels?: readonly string[];

  /** `trace`, `debug`, `info`, `warn` or `error`: what is logged, and all that is graver. */
  @IsIn(LOG_LEVELS)
  logLevel: LogLevel = 'info';

  /** Where what must survive a restart is kept: the store, the last inventory, the switch. */
  @IsAbsolutePath()
  stateDirectory = '/var/lib/vfio-warden';

  /**
   * PostgreSQL to keep decisions in, `postgres://...`, for several nodes together; without it SQLite in the state
   * directory. `DATABASE_URL` is read, too.
   */
  @IsOptional()
  @Matches(/^postgres(ql)?:\/\/./, { message: '$property must begin with postgres://' })
  databaseUrl?: string;

  /** Days that decisions are kept, 1 to 3650. What the record of a domain refers to is kept longer. */
  @IsWholeNumber(1, 3650)
  retentionDays = 90;

  /** How many decisions are kept, 100 to 10,000,000. */
  @IsWholeNumber(100, 10_000_000)
  retentionDecisions = 100_000;

  /**
   * libvirt's read-write socket. Where `takeover.sh` has moved it into the directory `upstream` beside it, it is found
   * there. For modular daemons `/run/libvirt/virtqemud-sock`.
   */
  @IsSocketPath()
  libvirtSocket = '/run/libvirt/libvirt-sock';

  /** libvirt's read-only socket; without it the name of the read-write one with `-ro`. */
  @IsOptional()
  @IsSocketPath()
  libvirtReadOnlySocket!: string;

  /**
   * Socket of the daemon that knows networks, where that is another one; without it `virtnetworkd-sock` beside
   * a `virtqemud-sock`.
   */
  @IsOptional()
  @IsSocketPath()
  networkSocket?: string;

  /** Where clients find the proxy: `qemu+unix:///system?socket=PATH`. */
  @IsSocketPath()
  proxySocket = '/run/vfio-warden/libvirt-sock';

  /** Where clients find the proxy to the read-only socket; without it the name of the read-write one with `-ro`. */
  @IsOptional()
  @IsSocketPath()
  proxyReadOnlySocket!: string;

  /**
   * Octal mode of both proxy sockets, 0660 at most: libvirt sees the credentials of this service, not of the client, so
   * the mode is the access control.
   */
  @IsClosedSocketMode()
  proxySocketMode = '0660';

  /** Group of both proxy sockets. */
  @IsGroupName()
  proxySocketGroup = 'libvirt';

  /** What the proxy does with a domain with assigned devices when it cannot decide: `closed` refuses, `open` passes it on. */
  @IsIn(FAILURE_MODES)
  proxyFailure: FailureMode = 'closed';

  /** Where libvirt's hook asks. */
  @IsSocketPath()
  hookSocket = '/run/vfio-warden/hook.sock';

  /** What the hook itself goes by, also while this service is dead; `/readyz` and the log say where the two differ. */
  @IsAbsolutePath()
  hookConfiguration = '/etc/vfio-warden/hook.conf';

  /** What the hook does with a domain with assigned devices when no decision can be had: `closed` vetoes, `open` lets it start. */
  @IsIn(FAILURE_MODES)
  hookFailure: FailureMode = 'closed';

  /** What is done with an incoming domain whose protection at the source cannot be matched here: `warn` or `refuse`. */
  @IsIn(['warn', 'refuse'])
  incoming: 'warn' | 'refuse' = 'warn';

  /** Where libvirt keeps the logs of its domains: there the preloaded config filter says that it is in place. */
  @IsAbsolutePath()
  domainLogs = '/var/log/libvirt/qemu';

  /** Whether inactive domains that policy would rewrite are defined again; without it they are only recorded. */
  @IsSwitch()
  reconcile = true;

  /**
   * Where the API listens: `unix:PATH`, or `HOST:PORT` with an address in numbers. TCP needs `tokensFile`; beyond the
   * loopback addresses also `tlsCertificate` and `tlsKey`.
   */
  @Matches(/^(unix:\/.{1,106}|(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-f:.]{2,45}\]):\d{1,5})$/i, {
    message: '$property must be unix:/PATH or ADDRESS:PORT, such as 127.0.0.1:8443 or [::1]:8443',
  })
  listen = 'unix:/run/vfio-warden/api.sock';

  /** Group of the API's socket; without it the group of the service. */
  @IsOptional()
  @IsGroupName()
  apiSocketGroup?: string;

  /** PEM file with the certificate, and those that it hangs on, for the API over TCP. */
  @IsOptional()
  @IsAbsolutePath()
  tlsCertificate?: string;

  /** PEM file with the certificate's key. */
  @IsOptional()
  @IsAbsolutePath()
  tlsKey?: string;

  /** YAML file with names, roles and hashes of the bearer tokens that the API takes over TCP. */
  @IsOptional()
  @IsAbsolutePath()
  tokensFile?: string;
}

export type SettingName = keyof Settings & string;

/** All settings, in the order of the class. */
export const SETTING_NAMES = Object.keys(new Settings()) as SettingName[];

/** `libvirtSocket` is `WARDEN_LIBVIRT_SOCKET`. */
export function variableOf(name: SettingName): string {
  return `WARDEN_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** What the environment sets, and nothing else. An empty variable is none. */
export function settingsOfEnvironment(environment: NodeJS.ProcessEnv): Partial<Settings> {
  const texts: Partial<Record<SettingName, string>> = {};
  for (const name of SETTING_NAMES) {
    const text = environment[variableOf(name)];
    if (text !== undefined && text !== '') texts[name] = text;
  }
  if (environment.DATABASE_URL) texts.databaseUrl ??= environment.DATABASE_URL;
  const settings = plainToInstance(Settings, texts);
  const problems = validateSync(settings).map(
    ({ property, constraints }) =>
      new LocatedError(
        Object.values(constraints ?? {})[0] ?? 'it is not accepted',
        variableOf(property as SettingName),
        'Correct the environment variable and start again.',
      ),
  );
  if (problems.length > 1) throw new LocatedErrors(problems);
  if (problems[0]) throw problems[0];
  return Object.fromEntries(
    (Object.keys(texts) as SettingName[]).map((name) => [name, settings[name]]),
  ) as Partial<Settings>;
}
