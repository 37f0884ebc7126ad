import { isIPv4 } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { LocatedError } from '../located-error.js';
import type { SettingName, Settings } from './settings.js';

/**
 * Fills in the settings that follow from others, and checks what concerns several of them.
 *
 * @param placeOf where a setting was given
 * @throws LocatedError with that place
 */
export function completeSettings(settings: Settings, placeOf: (name: SettingName) => string): Settings {
  const { libvirtSocket, proxySocket } = settings;
  const complete: Settings = {
    ...settings,
    libvirtReadOnlySocket: settings.libvirtReadOnlySocket ?? `${libvirtSocket}-ro`,
    networkSocket: settings.networkSocket ?? networkSocketBeside(libvirtSocket),
    proxyReadOnlySocket: settings.proxyReadOnlySocket ?? `${proxySocket}-ro`,
  };
  refuseSharedSockets(complete, placeOf);
  refuseOpenApi(complete, placeOf);
  return complete;
}

function networkSocketBeside(libvirtSocket: string): string | undefined {
  if (basename(libvirtSocket) !== 'virtqemud-sock') return undefined;
  return join(dirname(libvirtSocket), 'virtnetworkd-sock');
}

/** A proxy whose clients and upstream meet at one path would call itself. */
function refuseSharedSockets(settings: Settings, placeOf: (name: SettingName) => string): void {
  const names = [
    'libvirtSocket',
    'libvirtReadOnlySocket',
    'proxySocket',
    'proxyReadOnlySocket',
    'hookSocket',
  ] as const;
  const users = new Map<string, SettingName>();
  for (const name of names) {
    const other = users.get(settings[name]);
    if (other !== undefined) {
      throw new LocatedError(
        `${name} is the same path as ${other}`,
        placeOf(name),
        'Give each its own path.',
      );
    }
    users.set(settings[name], name);
  }
}

/** Over TCP whoever reaches the port could ask; over a network, whoever is on the way could read the token. */
function refuseOpenApi(settings: Settings, placeOf: (name: SettingName) => string): void {
  const { listen, tokensFile, tlsCertificate, tlsKey } = settings;
  if ((tlsCertificate === undefined) !== (tlsKey === undefined)) {
    const [there, missing] = tlsKey === undefined ? TLS_PAIR : TLS_PAIR.toReversed();
    throw new LocatedError(`${there} comes only together with ${missing}`, placeOf(there!), 'Give both.');
  }
  if (listen.startsWith('unix:')) return;
  const address = listen.slice(0, listen.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  const refuse = (problem: string, remedy: string): never => {
    throw new LocatedError(problem, placeOf('listen'), remedy);
  };
  if (tokensFile === undefined) {
    refuse('the API would be open to every local user', 'Set tokensFile, or listen on unix:/PATH.');
  }
  if (!isLoopback(address) && tlsCertificate === undefined) {
    refuse('tokens would cross the network in the clear', 'Set tlsCertificate and tlsKey.');
  }
  if (Number(listen.slice(listen.lastIndexOf(':') + 1)) > 65_535) {
    refuse('there is no such port', 'Write one from 1 to 65535.');
  }
}

const TLS_PAIR: readonly SettingName[] = ['tlsCertificate', 'tlsKey'];

function isLoopback(address: string): boolean {
  return isIPv4(address) ? address.startsWith('127.') : address === '::1';
}
