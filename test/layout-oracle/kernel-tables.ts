import { NEWEST_TABLES, TABLES_6_1, type VfioTables } from '../../src/pci/config-space/capability-tables.js';

/** The tables to predict a kernel with: the newest but for the one whose own we know. */
export function tablesFor(series: string): VfioTables {
  return series === '6.1' ? TABLES_6_1 : NEWEST_TABLES;
}
