// Package sqlpage reads the pages of package pagination from PostgreSQL, MySQL,
// MariaDB and SQLite through database/sql, with statements that touch about as many
// index entries as the page has rows, at any depth.
//
//	type Post struct {
//		ID        int64     `db:"id"`
//		CreatedAt time.Time `db:"created_at"`
//	}
//	posts, err := sqlpage.New(db, sqlpage.Postgres, "posts", "id", "-created_at", pagination.Options[Post]{})
//
// [NewSource] takes joins, a tenant's condition, keys and scanning of your own;
// [Clauses] gives the condition alone to query builders and ORMs.
//
// # How it works
//
// "After (v1, v2)" is cut into arms: key ranges that are disjoint, stand in reading
// order, and are each found by one seek.
//
//	   k1 = v1, k2 > v2         k1 > v1
//	|--------------------|--------------------------->
//	^ the gap
//
// A nullable key adds an arm for NULL, before or after its values. With a start and an
// end, a common prefix becomes an equality. Read backward, all directions and the
// place of NULL turn, and the rows are turned round in memory. From the list comes
// the form that the engine reads least for:
//
//	                     all NotNull,      mixed       nullable,      nullable,
//	                     one direction     directions  native order   other order
//	PostgreSQL           row value         arms        arms           arms
//	MySQL, MariaDB       OR                OR          OR             arms
//	SQLite               arms              arms        arms           arms
//
//	row value   (k1, k2) > ($1, $2)
//	OR          (k1 = ? AND k2 > ? OR k1 > ?)
//	arms        (SELECT … WHERE k1 IN ($1, $1) AND k2 > $2 ORDER BY … LIMIT n) UNION ALL
//	            (SELECT … WHERE k1 > $1 ORDER BY … LIMIT n) ORDER BY 3, 1 LIMIT n
//
// Where an arm fixes a column, planners are tempted: the rest of the order looks like that
// of the primary key, or the fixed group small enough to filter, and a page near the end
// of a group of 250,000 then reads the group. So a fixed column is written as a list of one
// on PostgreSQL, which keeps its place in the order; beside a condition that is never
// true on MariaDB, "OR k1 < NULL", which rules out its ref access; and with a
// likelihood on SQLite.
//
// Rows and index entries touched for a page of 20 of 500,000, the most of both directions
// and of 12 positions from 1 to 99 %, as internal/integration/pagination counts them on
// PostgreSQL 15, MariaDB 10.11 and SQLite; an offset in the middle touches 250,021 or more:
//
//	                                PostgreSQL   MariaDB   SQLite
//	id                                      21        21       21
//	a, 500 rows tied                        21        22       22
//	s, two values; -id                      22        21       22
//	-a, +id                                 22        22       22
//	n, half NULL, native order              22        22       22
//	n, half NULL, other order               22       117       22
//	s, n, native order                      23        23       23
//	s, n, other order                       23        24       23
//
// The 117 are a page for each of two arms, and what MariaDB reads of them in the union's
// own table. The last line is read with a generated column on MariaDB and SQLite: see Choosing.
//
// The caller's Where stands in parentheses in every statement, and its values come
// from Query.Args for each call. Text of requests never enters a statement; it is
// bound.
//
// # Choosing
//
// Index. [Index] prints the statement for an order; put the columns that Where or a
// filter fixes by equality in front. [Source.Explain] names a scan or a sort, and the
// missing index. Each order that clients may choose needs one.
//
// Entries read for a page ≈ (limit + 1) · arms, arms = 2·keys − 1 at most, plus one per
// nullable key; PostgreSQL and SQLite read them lazily, so ≈ limit + 1 + arms. For
// three keys and a limit of 20: 26 entries, in place of 20 + offset.
//
// NULL. [Keys] and [New] put it where the engine does, and an ordinary index serves
// both directions. NullsFirst and NullsLast need an index that says so on
// PostgreSQL, and arms on MySQL. On MySQL and SQLite no index has NULL elsewhere: for a key
// that is not the first one, add a column that says it, and sort by both:
//
//	ALTER TABLE cars ADD unsold INT GENERATED ALWAYS AS (CASE WHEN sold IS NULL THEN 1 ELSE 0 END) STORED
//	CREATE INDEX cars_page ON cars (model, unsold, sold, id)   -- sort=model,unsold,sold: NULL last
//
// Tenants. MariaDB may read a large tenant by ref and filter it (measured: 125,000 entries for
// half of a table): where one tenant has more than about a sixth of the table, name the index in
// Query.From, "posts FORCE INDEX (posts_tenant_created_at_id_page)", with a source per order.
//
// Strategy. Leave it Auto, unless the engine only speaks the dialect: RowValue for
// CockroachDB and YugabyteDB, Or for TiDB.
//
// # Guarantees
//
//  1. All strategies return the same rows in the same order, those of the model in
//     memory, on all engines, for every direction, side, prefix, window and place of NULL.
//  2. One Fetch is one statement. LIMIT is a literal; the text is the same for ranges of
//     one shape, so that prepared statements hit.
//  3. Rows are closed on every path; an error in the middle of reading is an error, never a
//     short page.
//  4. Predicate and ORDER BY use the database's collation, equality included.
//  5. A token or filter that an engine could refuse as out of range for a column is bound
//     in a wider type: bigint, numeric, double precision on PostgreSQL.
//  6. A Source is safe for concurrent use.
//
// # Costs
//
// Building a statement: once per shape, at most 256 kept per source; after that a
// look-up and the arguments, two allocations besides boxed values. Scanning by db tags
// allocates no more than rows.Scan does. A count reads every match; it is a statement
// of its own.
//
// # Limits
//
// PostgreSQL stores microseconds: keys read from it are exact, times of your own in
// NewFilter are rounded by it. It sorts NaN highest; a row with NaN has no position.
//
// MySQL: set parseTime=true, one session zone, and a DATETIME(6) where times are keys; a
// DATETIME(0) is exact too, as rows are compared as stored. Decimals are cast to
// DECIMAL(65,30), since MySQL compares them with text as floating-point numbers; set
// Key.Cast for another type. UUIDs bind as 16 bytes, as text on PostgreSQL.
//
// SQLite stores a time as text in the driver's format, which sorts wrongly when the
// fraction varies: use integers, or fixed-width UTC text.
//
// GROUP BY works with keys that are grouped columns; a condition on an aggregate
// belongs into Query.GroupBy, after HAVING. An offset reads what it skips.
//
// # References
//
//   - M. Winand, use-the-index-luke.com/sql/partial-results/fetch-next-page
//   - PostgreSQL documentation, 9.24.5 Row Constructor Comparison
//   - MySQL Reference Manual, 8.2.1.2 Range Optimization
//   - SQLite, "The SQLite Query Optimizer Overview" and "Row Values"
package sqlpage
