package sqlsession

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/session"
)

// Dialect is the database behind a Store.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota + 1
	MySQL            // and MariaDB
	SQLite
)

// String is the name of the database.
func (d Dialect) String() string {
	switch d {
	case Postgres:
		return "PostgreSQL"
	case MySQL:
		return "MySQL"
	case SQLite:
		return "SQLite"
	}
	return "unknown"
}

const maxName = 63 // of PostgreSQL, the shortest; MySQL has 64

// parseTable splits "schema.table".
func parseTable(name string) ([]string, error) {
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		return nil, fmt.Errorf("%w: Table %q has more than one dot", session.ErrInvalid, name)
	}
	for _, part := range parts {
		if part == "" || len(part) > maxName {
			return nil, fmt.Errorf("%w: Table %q: a part of %d bytes, want 1 … %d", session.ErrInvalid, name, len(part), maxName)
		}
		for i := range len(part) {
			c := part[i] | 0x20
			if (c < 'a' || c > 'z') && (part[i] < '0' || part[i] > '9') && part[i] != '_' {
				return nil, fmt.Errorf("%w: Table %q: only letters, digits and _ are allowed", session.ErrInvalid, name)
			}
		}
	}
	return parts, nil
}

// quote makes an identifier of a name that parseTable has accepted; it needs no escaping.
func (d Dialect) quote(name string) string {
	if d == MySQL {
		return "`" + name + "`"
	}
	return `"` + name + `"`
}

// indexName keeps within the limit of the database, which might cut in silence and then find that "it exists".
func indexName(table, column string) string {
	if len(table) > 40 {
		h := fnv.New32a()
		_, _ = h.Write([]byte(table))
		table = fmt.Sprintf("%s_%08x", table[:31], h.Sum32())
	}
	return table + "_" + column
}

// statements are the texts of one store.
type statements struct {
	load, insert, save, probe, touch, remove string
	list, removeUser                         string
	sweep                                    string // Postgres and SQLite: one statement
	due                                      string // MySQL: the keys first
	schema                                   string
	table                                    string
}

const columns = "id, user_id, version, created_at, expires_at, deadline, payload"

func (d Dialect) statements(parts []string) statements {
	quoted := make([]string, len(parts))
	for i, part := range parts {
		quoted[i] = d.quote(part)
	}
	t := strings.Join(quoted, ".")
	least := "LEAST"
	if d == SQLite {
		least = "min"
	}
	st := statements{
		table:  t,
		load:   "SELECT " + columns + " FROM " + t + " WHERE id = ? AND expires_at > ?",
		insert: "INSERT INTO " + t + " (" + columns + ") VALUES (?, ?, 1, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
		save: "UPDATE " + t + " SET user_id = ?, version = version + 1, created_at = ?, expires_at = ?, deadline = ?, payload = ?" +
			" WHERE id = ? AND version = ? AND expires_at > ?",
		probe:      "SELECT version, expires_at FROM " + t + " WHERE id = ?",
		touch:      "UPDATE " + t + " SET expires_at = " + least + "(?, deadline) WHERE id = ? AND expires_at > ? AND expires_at < ?",
		remove:     "DELETE FROM " + t + " WHERE id = ?",
		list:       "SELECT " + columns + " FROM " + t + " WHERE user_id = ? AND expires_at > ?",
		removeUser: "DELETE FROM " + t + " WHERE user_id = ? AND expires_at > ?",
		schema:     d.schema(parts, t),
	}
	switch d {
	case Postgres:
		st.sweep = "DELETE FROM " + t + " WHERE id IN (SELECT id FROM " + t + " WHERE expires_at <= ? ORDER BY expires_at LIMIT ? FOR UPDATE SKIP LOCKED)"
	case SQLite:
		st.sweep = "DELETE FROM " + t + " WHERE rowid IN (SELECT rowid FROM " + t + " WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"
	case MySQL:
		// ON CONFLICT is not MySQL. IGNORE turns a duplicate key into "0 rows", which ON DUPLICATE KEY UPDATE does
		// only if the connection counts changed rows. Lengths are checked before, so it hides nothing else.
		st.insert = "INSERT IGNORE INTO " + t + " (" + columns + ") VALUES (?, ?, 1, ?, ?, ?, ?)"
		// A range DELETE on the index of expires_at locks the index before the row, a Save the row before the
		// index: a deadlock. So the keys are read without locks, and deleted by primary key.
		st.due = "SELECT id FROM " + t + " WHERE expires_at <= ? ORDER BY expires_at LIMIT ?"
	}
	for _, text := range []*string{&st.load, &st.insert, &st.save, &st.probe, &st.touch, &st.remove, &st.list, &st.removeUser, &st.sweep} {
		*text = d.number(*text, 1)
	}
	return st
}

// number writes placeholders as $1, $2, … for PostgreSQL.
func (d Dialect) number(text string, next int) string {
	if d != Postgres {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		if text[i] != '?' {
			b.WriteByte(text[i])
			continue
		}
		b.WriteString("$" + strconv.Itoa(next))
		next++
	}
	return b.String()
}

// marks is a list of n placeholders.
func marks(n int) string { return strings.Repeat(", ?", n)[2:] }

func (d Dialect) schema(parts []string, t string) string {
	table := parts[len(parts)-1]
	expires, user := indexName(table, "expires_at"), indexName(table, "user_id")
	if d == MySQL {
		return "CREATE TABLE IF NOT EXISTS " + t + ` (
	id BINARY(16) NOT NULL PRIMARY KEY,
	user_id VARBINARY(255) NULL,
	version BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	deadline BIGINT NOT NULL,
	payload LONGBLOB NOT NULL,
	INDEX ` + d.quote(expires) + ` (expires_at),
	INDEX ` + d.quote(user) + ` (user_id)
)`
	}
	blob, on := "BYTEA", t
	expires, user = d.quote(expires), d.quote(user)
	if d == SQLite {
		blob = "BLOB"
		if len(parts) == 2 { // SQLite wants the schema before the index, not before the table
			on = d.quote(table)
			expires, user = d.quote(parts[0])+"."+expires, d.quote(parts[0])+"."+user
		}
	}
	return "CREATE TABLE IF NOT EXISTS " + t + ` (
	id ` + blob + ` NOT NULL PRIMARY KEY,
	user_id ` + blob + ` NULL,
	version BIGINT NOT NULL,
	created_at BIGINT NOT NULL,
	expires_at BIGINT NOT NULL,
	deadline BIGINT NOT NULL,
	payload ` + blob + ` NOT NULL
);
CREATE INDEX IF NOT EXISTS ` + expires + " ON " + on + ` (expires_at);
CREATE INDEX IF NOT EXISTS ` + user + " ON " + on + " (user_id) WHERE user_id IS NOT NULL"
}
