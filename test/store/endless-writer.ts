import { openStore } from '../../src/store/open-store.js';
import { HOST, decisionEntry, decisionRecord, eventEntry } from './records.js';

/** Writes batches of a decision and nine events about it until it is killed. */
const store = await openStore({ sqliteFile: process.argv[2]!, host: HOST });
for (let batch = Number(process.argv[3]); ; batch += 1) {
  const { id } = decisionRecord(batch).decision;
  const events = Array.from({ length: 9 }, (_, n) => eventEntry(n, { decisionId: id }));
  await store.write([...events, decisionEntry(batch)]);
  console.log(`written ${batch}`);
}
