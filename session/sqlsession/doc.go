// Package sqlsession keeps sessions in a table of PostgreSQL, MySQL, MariaDB or SQLite.
//
//	store, err := sqlsession.New(db, sqlsession.Postgres, sqlsession.Options{})
//	_, err = db.ExecContext(ctx, store.Schema()) // or a migration with that text
//	sessions, err := session.New[Data](store, session.Options{})
//	go sessions.Run(ctx) // removes what has expired
//
// It uses database/sql only; the driver is yours. Tested with pgx, go-sql-driver/mysql and modernc.org/sqlite.
//
// # How it works
//
//	sessions
//	┌────────────┬───────────┬─────────┬────────────┬────────────┬──────────┬─────────┐
//	│ id (16)    │ user_id   │ version │ created_at │ expires_at │ deadline │ payload │
//	├────────────┼───────────┼─────────┼────────────┼────────────┼──────────┼─────────┤
//	│ primary    │ NULL =    │ +1 per  │ ms         │ moved by   │ ms       │ opaque  │
//	│ key        │ anonymous │ save    │            │ Touch      │          │         │
//	└────────────┴───────────┴─────────┴────────────┴────────────┴──────────┴─────────┘
//
//	Load     SELECT … WHERE id = ? AND expires_at > now                          1 round trip
//	Save     INSERT that does nothing on a duplicate, or                         1
//	         UPDATE … SET version = version + 1 WHERE id = ? AND version = ? …   1, and a SELECT if no row matched
//	Touch    UPDATE … SET expires_at = least(?, deadline) WHERE expires_at < ?   1, and a SELECT if no row matched
//	Remove   DELETE … WHERE id = ?                                               1
//
// Times are milliseconds since 1970 as numbers: no time zones, no parseTime in the DSN, no rounding by the column
// type. User IDs are bytes: no collation makes two users one. "Now" is the clock of the program, not the server's.
//
// # Choosing
//
// PostgreSQL, MySQL and MariaDB serve any number of processes. SQLite serves one machine; open it with
// _pragma=busy_timeout(5000) and _pragma=journal_mode(WAL), or db.SetMaxOpenConns(1), so that parallel writers wait
// instead of failing.
//
// One read per request that uses its session, and with the defaults one write per user and minute: 1 000 users who
// click every ten seconds make 100 SELECT and at most 17 UPDATE a second.
//
// # Guarantees
//
//  1. Every change is one statement, conditional on the version or the expiry: atomic in any number of processes and
//     at any isolation level. Nothing depends on whether "rows affected" counts matched or changed rows.
//  2. A statement that ends with SQLSTATE 40001 (serialization failure, deadlock) has been rolled back, for certain: it
//     runs again, ten times at most, then the error is ErrConflict. The state is found through a method SQLState() string
//     or a field SQLState [5]byte of the driver's error. Every other error is passed on as it is.
//  3. Expired rows are missing, swept or not.
//  4. Sweep removes by primary key in batches of the given size, so that no statement locks more rows. PostgreSQL
//     skips rows that somebody else has locked.
//
// # Costs
//
// About 200 bytes a row and two index entries beside the payload. The index on user_id leaves anonymous rows out where
// the database can (PostgreSQL, SQLite).
//
// # Limits
//
//   - New creates no table: run Schema, or put its text into a migration.
//   - MySQL's max_allowed_packet (16 MiB to 64 MiB by default) bounds a payload from above.
//   - The error of a driver that tells no SQLSTATE reaches the caller, even if the database has rolled back.
//   - InnoDB finds deadlocks among single-row statements on one hot row; they cost a retry.
//
// # References
//
//   - PostgreSQL: INSERT … ON CONFLICT; SELECT … FOR UPDATE SKIP LOCKED; error codes, class 40.
//   - MySQL: INSERT IGNORE; mysql_affected_rows and CLIENT_FOUND_ROWS.
//   - SQLite: partial indexes; write-ahead logging.
package sqlsession
