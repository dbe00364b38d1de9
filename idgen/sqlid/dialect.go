package sqlid

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sysblocks/sysblocks/idgen"
)

// Dialect is the SQL of a database. The zero value is none, and refused.
type Dialect uint8

// The dialects.
const (
	Postgres Dialect = iota + 1
	MySQL            // and MariaDB
	SQLite
)

const (
	maxPrefix = 40
	maxName   = 255 // bytes; the width of MySQL's columns
	maxStep   = 65535
)

// Schema returns the statements that create the tables where they do not exist, for a migration or for every start. An empty prefix means "idgen". For a prefix or dialect that
// is not valid it returns nil, and the constructors say why.
func Schema(d Dialect, prefix string) []string {
	if prefix == "" {
		prefix = "idgen"
	}
	if check(d, prefix) != nil {
		return nil
	}
	text, owner := "TEXT", "TEXT"
	if d == MySQL { // bytes: MySQL's text collations ignore case or trailing spaces
		text, owner = "VARBINARY(255)", "VARBINARY(255)"
	}
	return []string{
		"CREATE TABLE IF NOT EXISTS " + prefix + "_counters (name " + text + " NOT NULL PRIMARY KEY, next_value BIGINT NOT NULL)",
		"CREATE TABLE IF NOT EXISTS " + prefix + "_leases (namespace " + text + " NOT NULL, worker BIGINT NOT NULL, token BIGINT NOT NULL, " +
			"until_us BIGINT NOT NULL, owner " + owner + " NOT NULL, PRIMARY KEY (namespace, worker))",
	}
}

// StrideDDL returns the statements that make a database number in s by itself, and so never as another database with a
// disjoint stride does. MySQL: the server's auto_increment_increment and auto_increment_offset, for new connections and
// until a restart (write them into its configuration too); name is not used. Postgres: a sequence of that name, for
// DEFAULT nextval('name'). SQLite has no such setting, which is idgen.ErrInvalid, as are an invalid stride, a MySQL
// increment above 65535 and a name that is not [A-Za-z_][A-Za-z0-9_]* of at most 40 characters.
func StrideDDL(d Dialect, s idgen.Stride, name string) ([]string, error) {
	if _, err := s.At(0); err != nil {
		return nil, err
	}
	switch d {
	case MySQL:
		if s.Increment > maxStep {
			return nil, fmt.Errorf("%w: sqlid: increment %d, at most %d in MySQL", idgen.ErrInvalid, s.Increment, maxStep)
		}
		return []string{
			fmt.Sprintf("SET GLOBAL auto_increment_increment = %d", s.Increment),
			fmt.Sprintf("SET GLOBAL auto_increment_offset = %d", s.Offset),
		}, nil
	case Postgres:
		if err := check(d, name); err != nil {
			return nil, err
		}
		return []string{fmt.Sprintf("CREATE SEQUENCE %s MINVALUE %d START WITH %d INCREMENT BY %d", name, s.Offset, s.Offset, s.Increment)}, nil
	case SQLite:
		return nil, fmt.Errorf("%w: sqlid: SQLite has no increment for its row ids", idgen.ErrInvalid)
	}
	return nil, check(d, name)
}

// check refuses an unknown dialect and an identifier that could be anything but a name.
func check(d Dialect, identifier string) error {
	if d < Postgres || d > SQLite {
		return fmt.Errorf("%w: sqlid: Dialect is %d, none of Postgres, MySQL, SQLite", idgen.ErrInvalid, d)
	}
	ok := identifier != "" && len(identifier) <= maxPrefix
	for i := range len(identifier) {
		c := identifier[i]
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		ok = ok && (letter || i > 0 && c >= '0' && c <= '9')
	}
	if !ok {
		return fmt.Errorf("%w: sqlid: %.50q is not [A-Za-z_][A-Za-z0-9_]* of at most %d characters", idgen.ErrInvalid, identifier, maxPrefix)
	}
	return nil
}

// checkName refuses what one of the databases would cut off or reject.
func checkName(kind, name string) error {
	if name == "" || len(name) > maxName || !utf8.ValidString(name) || strings.ContainsRune(name, 0) {
		return fmt.Errorf("%w: sqlid: %s %.50q, 1 to %d bytes of UTF-8 without NUL", idgen.ErrInvalid, kind, name, maxName)
	}
	return nil
}

// bind numbers the question marks where the dialect wants that.
func (d Dialect) bind(query string) string {
	if d != Postgres {
		return query
	}
	var b strings.Builder
	n := 0
	for _, c := range query {
		if c != '?' {
			b.WriteRune(c)
			continue
		}
		n++
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// text passes a name as the type of its column.
func (d Dialect) text(s string) any {
	if d == MySQL {
		return []byte(s)
	}
	return s
}
