package sqlpage

import (
	"fmt"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// template is the caller's SQL, cut at its placeholders: one part more than values.
type template []string

// parseTemplate finds the placeholders of a text: ? outside string literals,
// quoted identifiers and comments; ?? is a question mark. The dialect decides what
// a literal is: backslashes escape in MySQL, dollar quotes exist in PostgreSQL.
func parseTemplate(d Dialect, text string) (template, error) {
	var parts template
	var part strings.Builder
	for i := 0; i < len(text); {
		n := skipLength(d, text[i:])
		switch {
		case n < 0:
			return nil, fmt.Errorf("%w: unfinished literal or comment in %q", pagination.ErrInvalid, text)
		case n > 0:
			part.WriteString(text[i : i+n])
			i += n
		case strings.HasPrefix(text[i:], "??"):
			part.WriteByte('?')
			i += 2
		case text[i] == '?':
			parts = append(parts, part.String())
			part.Reset()
			i++
		default:
			part.WriteByte(text[i])
			i++
		}
	}
	return append(parts, part.String()), nil
}

// values is the number of placeholders.
func (t template) values() int { return max(0, len(t)-1) }

// skipLength is the length of the literal, identifier or comment that text begins
// with: 0 for none, −1 for an unfinished one.
func skipLength(d Dialect, text string) int {
	switch {
	case text[0] == '\'' || text[0] == '"' || text[0] == '`':
		return quotedLength(text, d == MySQL && text[0] != '`')
	case d == Postgres && (strings.HasPrefix(text, "E'") || strings.HasPrefix(text, "e'")):
		if n := quotedLength(text[1:], true); n > 0 {
			return n + 1
		}
		return -1
	case d == SQLite && text[0] == '[':
		return lengthTo(text, "]", 1)
	case strings.HasPrefix(text, "--"), d == MySQL && text[0] == '#':
		if n := strings.IndexByte(text, '\n'); n >= 0 {
			return n + 1
		}
		return -1 // it would swallow the parenthesis that follows
	case strings.HasPrefix(text, "/*"):
		return lengthTo(text, "*/", 2)
	case d == Postgres && text[0] == '$':
		if end := strings.IndexByte(text[1:], '$'); end >= 0 && isTag(text[1:end+1]) {
			tag := text[:end+2]
			return lengthTo(text, tag, len(tag))
		}
	}
	return 0
}

func lengthTo(text, end string, from int) int {
	if n := strings.Index(text[from:], end); n >= 0 {
		return from + n + len(end)
	}
	return -1
}

// quotedLength is the length of a literal whose quote is doubled inside.
func quotedLength(text string, backslash bool) int {
	quote := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case backslash && text[i] == '\\':
			i++
		case text[i] == quote && i+1 < len(text) && text[i+1] == quote:
			i++
		case text[i] == quote:
			return i + 1
		}
	}
	return -1
}

// isTag reports whether s is the name in a dollar quote; it may be empty.
func isTag(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return true
}
