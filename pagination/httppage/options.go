package httppage

import (
	"net/http"

	"github.com/sysblocks/sysblocks/pagination"
)

// Options of a [Handler] and of its parts. The zero value accepts the four
// conventions of plain HTTP and answers with links relative to the host.
type Options struct {
	Styles Style    // accepted conventions; 0 = Cursor|PageNumber|Offset|Since
	Fields []string // JSON names that fields= may ask for; none: fields= is refused
	Base   string   // what links begin with, "https://api.example.com"; "" = relative links
	// Prepare may change a request after it was parsed: set its Principal, add
	// trusted filters. An error that is none of the request's is answered with 500.
	Prepare func(r *http.Request, q *pagination.Request) error
	// OnError is told of errors that are answered with 500, for the log.
	OnError func(r *http.Request, err error)
}

// Style is a convention of parameters, or a mask of several.
type Style uint8

// The conventions. A parameter of one that is not accepted is an error: a client
// whose position is ignored would read page one for ever.
const (
	Cursor     Style = 1 << iota // cursor, or after and before; limit
	PageNumber                   // page, per_page (or limit)
	Offset                       // offset, limit
	Since                        // since, limit
	JSONAPI                      // page[size], page[after], page[before], page[number], page[offset], page[limit]
	Relay                        // first, last, after, before
)

const defaultStyles = Cursor | PageNumber | Offset | Since

func (o *Options) styles() Style {
	if o.Styles == 0 {
		return defaultStyles
	}
	return o.Styles
}

// first is the convention of a request without any parameter.
func (o *Options) first() Style {
	s := o.styles()
	return s & -s
}
