package httppage

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// pair is one parameter as it was sent, so that links repeat it unchanged.
type pair struct {
	raw      string // "seats%3C=2"
	name     string // "seats<"
	rawValue string
	hasValue bool // an equals sign was there
}

// splitQuery cuts a query into its parameters.
func splitQuery(raw string) ([]pair, error) {
	var pairs []pair
	for item := range strings.SplitSeq(raw, "&") {
		if item == "" {
			continue
		}
		name, value, hasValue := strings.Cut(item, "=")
		decoded, err := url.QueryUnescape(name)
		if err != nil {
			return nil, badParam("query", pagination.ErrParams, "malformed escape in a name")
		}
		pairs = append(pairs, pair{item, decoded, value, hasValue})
	}
	return pairs, nil
}

// value is the decoded value; a plus sign is a space.
func (p *pair) value() (string, error) {
	v, err := url.QueryUnescape(p.rawValue)
	if err != nil {
		return "", badParam(p.name, pagination.ErrParams, "malformed escape")
	}
	return v, nil
}

// role is what a parameter of a convention does.
type role uint8

const (
	roleNone     role = iota
	rolePosition      // says where
	roleSize          // says how many
	roleOther         // sort, fields
)

// roleOf returns the role of a parameter and the conventions that it belongs to.
func roleOf(name string) (role, Style) {
	switch name {
	case "cursor":
		return rolePosition, Cursor
	case "after", "before":
		return rolePosition, Cursor | Relay
	case "page":
		return rolePosition, PageNumber
	case "offset":
		return rolePosition, Offset
	case "since":
		return rolePosition, Since
	case "limit":
		return roleSize, Cursor | PageNumber | Offset | Since
	case "per_page":
		return roleSize, PageNumber
	case "first", "last":
		return roleSize, Relay
	case "page[after]", "page[before]", "page[number]", "page[offset]":
		return rolePosition, JSONAPI
	case "page[size]", "page[limit]":
		return roleSize, JSONAPI
	case "sort", "fields":
		return roleOther, ^Style(0)
	}
	return roleNone, 0
}

// positional collects the parameters that place and size a page.
type positional struct {
	values map[string]string
	style  Style // the convention of the request
}

func (p *positional) has(name string) bool {
	_, ok := p.values[name]
	return ok
}

// readPositional finds the parameters of the conventions, once each.
func readPositional(pairs []pair, o *Options) (positional, error) {
	p := positional{values: make(map[string]string)}
	var position, size string
	for i := range pairs {
		name := pairs[i].name
		role, styles := roleOf(name)
		if role == roleNone {
			if strings.HasPrefix(name, "page[") {
				return p, badParam(name, pagination.ErrParams, "unknown member of page")
			}
			continue
		}
		switch {
		case styles&o.styles() == 0:
			return p, badParam(name, pagination.ErrParams, "its convention is not accepted here")
		case p.has(name):
			return p, badParam(name, pagination.ErrParams, "repeated")
		case role == rolePosition && position != "" && !together(position, name):
			return p, badParam(name, pagination.ErrParams, position+" and "+name+" exclude each other")
		case role == roleSize && size != "":
			return p, badParam(name, pagination.ErrParams, size+" and "+name+" exclude each other")
		}
		value, err := pairs[i].value()
		if err != nil {
			return p, err
		}
		p.values[name] = value
		switch role {
		case rolePosition:
			position = name
		case roleSize:
			size = name
		case roleNone, roleOther:
		}
	}
	p.style = styleOf(position, size, o)
	return p, nil
}

// together reports whether two positions make a window.
func together(a, b string) bool {
	pair := func(x, y string) bool { return a == x && b == y || a == y && b == x }
	return pair("after", "before") || pair("page[after]", "page[before]")
}

// styleOf is the convention that the parameters speak: that of the position, or
// of the size, or the first one accepted.
func styleOf(position, size string, o *Options) Style {
	if size == "first" || size == "last" {
		return Relay
	}
	for _, name := range []string{position, size} {
		if name == "" || name == "limit" {
			continue
		}
		_, styles := roleOf(name)
		if s := styles & o.styles(); s != 0 {
			return s & -s
		}
	}
	if size == "limit" {
		if _, styles := roleOf("limit"); styles&o.first() == 0 {
			s := styles & o.styles()
			return s & -s
		}
	}
	return o.first()
}

// badParam is an error about one parameter; the text never holds its value.
func badParam(name string, kind error, text string) error {
	return &pagination.ParamError{Param: name, Err: fmt.Errorf("%w: %s", kind, text)}
}
