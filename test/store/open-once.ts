import { openStore } from '../../src/store/open-store.js';
import { HOST, decisionEntry } from './records.js';

/** Opens the database at the same moment as other processes do, writes one decision, and says so. */
const [databaseOrFile, number, startAt] = process.argv.slice(2) as [string, string, string];
const location = databaseOrFile.startsWith('postgres:')
  ? { databaseUrl: databaseOrFile, sqliteFile: '/nowhere', host: HOST }
  : { sqliteFile: databaseOrFile, host: HOST };
while (Date.now() < Number(startAt)) await new Promise(setImmediate);
const store = await openStore(location);
for (;;) {
  try {
    await store.write([decisionEntry(Number(number))]);
    break;
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error;
  }
}
await store.close();
console.log('done');
