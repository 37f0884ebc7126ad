#!/usr/bin/env node
import 'reflect-metadata';
import { Logger } from '@nestjs/common';
import { chmod, lstat, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createApp } from './create-app.js';
import { readSettings, type Settings } from './config/settings.js';
import { loadBasis } from './decision/load-basis.js';
import { readPciIds } from './pci/pci-ids-file.js';
import { LocatedError, refusalsOf } from './located-error.js';

const logger = new Logger('vfio-warden');

async function start(settings: Settings): Promise<void> {
  const basis = await loadBasis(settings);
  for (const { bdf, file, problem, remedy } of basis.inventoryProblems) {
    logger.warn(`${bdf} ${file}: ${problem}. ${remedy}`);
  }
  const app = await createApp(basis, await readPciIds());
  if (settings.listen.startsWith('unix:')) {
    const path = settings.listen.slice('unix:'.length);
    await mkdir(dirname(path), { recursive: true });
    await removeOldSocket(path);
    await app.listen(path);
    // The socket's mode is the API's access control.
    await chmod(path, 0o660);
  } else {
    const colon = settings.listen.lastIndexOf(':');
    const host = settings.listen.slice(0, colon).replace(/^\[|\]$/g, '');
    await app.listen(Number(settings.listen.slice(colon + 1)), host);
  }
  logger.log(
    `listening on ${settings.listen}, host switch ${settings.mode}, policy ${basis.policy.revision.slice(0, 12)}`,
  );
}

/** A socket of an earlier run is in the way of a new one; anything else at that path is somebody's file. */
async function removeOldSocket(path: string): Promise<void> {
  const present = await lstat(path).catch(() => undefined);
  if (!present) return;
  if (!present.isSocket()) {
    throw new LocatedError('it is there already, and no socket', path, 'Name another path in WARDEN_LISTEN.');
  }
  await rm(path);
}

try {
  await start(readSettings(process.env));
} catch (error) {
  const refusals = refusalsOf(error);
  if (refusals) for (const { message } of refusals) logger.error(message);
  else logger.error(error);
  process.exitCode = 1;
}
