package httppage

import (
	"fmt"
	"strings"
)

// Link is one link of a Link header.
type Link struct {
	URL    string            // as it stands there; relative to the URL of the response
	Rel    []string          // relations, in lower case
	Params map[string]string // the other parameters, their names in lower case; nil for none
}

// ParseLink parses the values of the Link headers of a response (RFC 8288). A
// value that is malformed is ErrLink.
func ParseLink(values []string) ([]Link, error) {
	links := make([]Link, 0, 4)
	for _, v := range values {
		p := linkParser{rest: v}
		for {
			p.skip(" \t,")
			if p.rest == "" {
				break
			}
			link, ok := p.link()
			if !ok {
				return nil, fmt.Errorf("%w: at byte %d of %d", ErrLink, len(v)-len(p.rest), len(v))
			}
			links = append(links, link)
		}
	}
	return links, nil
}

type linkParser struct{ rest string }

func (p *linkParser) skip(set string) {
	i := 0
	for i < len(p.rest) && strings.IndexByte(set, p.rest[i]) >= 0 {
		i++
	}
	p.rest = p.rest[i:]
}

// take removes the byte c, after white space.
func (p *linkParser) take(c byte) bool {
	p.skip(" \t")
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// link parses a URL in angle brackets and its parameters.
func (p *linkParser) link() (l Link, ok bool) {
	if !p.take('<') {
		return l, false
	}
	end := strings.IndexByte(p.rest, '>')
	if end < 0 {
		return l, false
	}
	l.URL, p.rest = p.rest[:end], p.rest[end+1:]
	seen := false
	for p.take(';') {
		p.skip(" \t")
		if p.rest == "" || p.rest[0] == ',' || p.rest[0] == ';' {
			continue // an empty parameter
		}
		name := p.token()
		if name == "" {
			return l, false
		}
		value := ""
		if p.take('=') {
			if value, ok = p.value(); !ok {
				return l, false
			}
		}
		switch name = strings.ToLower(name); {
		case name == "rel" && seen: // only the first counts
		case name == "rel":
			seen = true
			l.Rel = relations(value)
		default:
			if l.Params == nil {
				l.Params = make(map[string]string, 2)
			}
			if _, twice := l.Params[name]; !twice {
				l.Params[name] = value
			}
		}
	}
	p.skip(" \t")
	return l, p.rest == "" || p.rest[0] == ','
}

func relations(value string) []string {
	value = strings.ToLower(strings.TrimSpace(value))
	if strings.IndexByte(value, ' ') < 0 {
		return []string{value}
	}
	return strings.Fields(value)
}

// token takes the characters of a name or an unquoted value.
func (p *linkParser) token() string {
	i := 0
	for i < len(p.rest) && p.rest[i] > ' ' && p.rest[i] < 0x7f && strings.IndexByte(`;,="<>`, p.rest[i]) < 0 {
		i++
	}
	token := p.rest[:i]
	p.rest = p.rest[i:]
	return token
}

// value takes a token or a quoted string.
func (p *linkParser) value() (string, bool) {
	p.skip(" \t")
	if p.rest == "" || p.rest[0] != '"' {
		token := p.token()
		return token, token != ""
	}
	for i := 1; i < len(p.rest); i++ {
		switch p.rest[i] {
		case '"':
			value := p.rest[1:i]
			p.rest = p.rest[i+1:]
			return value, true
		case '\\':
			return p.escaped()
		}
	}
	return "", false
}

// escaped takes a quoted string that holds backslashes.
func (p *linkParser) escaped() (string, bool) {
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return b.String(), true
		case c == '\\' && i+1 < len(p.rest):
			i++
			b.WriteByte(p.rest[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
