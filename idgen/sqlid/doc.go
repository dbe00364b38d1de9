// Package sqlid keeps the counters and the worker leases of package idgen in a database, over database/sql and any driver.
//
//	leaser, err := sqlid.NewLeaser(db, sqlid.Postgres, "orders", sqlid.LeaserOptions{})
//	if err != nil {
//		return err
//	}
//	gen, err := idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{})
//
// # How it works
//
// Two tables, made by a migration of yours from [Schema]:
//
//	idgen_counters                     idgen_leases
//	 name     | next_value              namespace | worker | token | until_us         | owner
//	----------+-----------             -----------+--------+-------+------------------+----------
//	 invoices | 1042                    orders    |      0 |    17 | 1764000030000000 | web-1:4711
//	                                    orders    |      1 |     4 | 1764000021000000 | web-2:4712
//
// A reservation is one UPDATE that adds n and returns the sum. A lease operation reads the rows of its namespace, chooses,
// and writes with the token and the end that it has read in the WHERE clause; when no row is changed somebody else was
// faster, and it reads again. No transaction spans two statements, so nothing depends on the isolation level.
//
// # Choosing
//
// [NewLeaser] with idgen.NewLeased for ids sorted by time: one statement per worker and TTL/3. With 100 workers and a TTL
// of 30 s that is 10 statements per second for all of them. [NewCounter] under idgen.NewSegment for small dense numbers: one
// UPDATE per range. [StrideDDL] where the database itself is to number, beside others.
//
// MySQL covers MariaDB. SQLite serves processes of one machine; give its DSN a busy timeout.
//
// # Guarantees
//
//  1. Ranges of one counter never overlap, windows of one worker never overlap, over all processes.
//  2. A reservation runs outside any transaction of the caller, on purpose: a rollback would hand its range out again.
//  3. An unknown outcome (connection lost) is an error: the range counts as lost, the number as not acquired. Nothing is
//     retried blindly.
//  4. A number is free when the database's clock has passed its end (SQLite: this machine's). A caller whose clock differs
//     more than MaxSkew is refused with idgen.ErrClock, so that no wrong clock blocks a number for years.
//  5. The package creates nothing by itself.
//
// # Costs
//
// Reserve: one statement; two more at the first use of a counter. Acquire: the rows of the namespace, the clock, one
// write. Extend: the clock and one write.
//
// # Limits
//
//   - db must be the primary, also for reading.
//   - Names and namespaces are 1 to 255 bytes of UTF-8 without NUL.
//   - The last number of a counter is 2^63-2.
//   - Restoring a backup takes a counter back: idgen.Segment notices within a process (ErrRegressed), nobody across a
//     restart. Raise next_value after a restore.
//   - An asynchronous replica that is promoted may lack the last reservations and leases.
//
// # References
//
//   - MySQL Reference Manual, LAST_INSERT_ID(expr): atomic sequences without a transaction.
//   - PostgreSQL manual, UPDATE … RETURNING; chapter 13.2 on Read Committed.
package sqlid
