import SqliteConnection from 'better-sqlite3';

/** Holds a database's lock until its standard input ends. */
const connection = new SqliteConnection(process.argv[2]);
connection.exec('begin exclusive');
console.log('locked');
process.stdin.resume().on('end', () => {
  connection.exec('rollback');
  connection.close();
});
