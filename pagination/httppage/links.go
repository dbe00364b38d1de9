package httppage

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/pagination"
)

// Links are the pages around a page. Clients follow them; they never build any.
type Links struct {
	Self  string `json:"self,omitempty"`
	First string `json:"first,omitempty"`
	Prev  string `json:"prev,omitempty"`
	Next  string `json:"next,omitempty"`
	Last  string `json:"last,omitempty"`
}

// SetHeaders sets Link, and X-Total-Count if the count is exact.
func SetHeaders[T any](h http.Header, r *http.Request, page *pagination.Page[T], o Options) {
	setHeaders(h, linksOf(r, page, &o), page.Count)
}

func setHeaders(h http.Header, l Links, count *pagination.Count) {
	var b strings.Builder
	for _, link := range [4][2]string{{l.Next, "next"}, {l.Prev, "prev"}, {l.First, "first"}, {l.Last, "last"}} {
		if link[0] == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString("<" + link[0] + `>; rel="` + link[1] + `"`)
	}
	if b.Len() > 0 {
		h.Set("Link", b.String())
	}
	if count != nil && count.Exact {
		h.Set("X-Total-Count", strconv.FormatInt(count.N, 10))
	}
}

// linker builds links in the convention of a request.
type linker struct {
	prefix string // base and path
	pairs  []pair
	at     positional
}

func newLinker(r *http.Request, o *Options) linker {
	// Parse has refused what cannot be read here; other handlers may go on without.
	pairs, _ := splitQuery(r.URL.RawQuery)
	at, err := readPositional(pairs, o)
	if err != nil {
		at.style = o.first()
	}
	// Two slashes at the start would name a host, which a client could choose.
	path := "/" + strings.TrimLeft(escape(r.URL.EscapedPath()), "/")
	return linker{strings.TrimSuffix(o.Base, "/") + path, pairs, at}
}

// with returns the request's URL, its position replaced by the given parameters.
func (l *linker) with(params ...string) string {
	var items []string
	for i := range l.pairs {
		role, _ := roleOf(l.pairs[i].name)
		relay := l.pairs[i].name == "first" || l.pairs[i].name == "last"
		if role != rolePosition && !relay {
			items = append(items, escape(l.pairs[i].raw))
		}
	}
	return l.join(append(items, params...))
}

func (l *linker) self() string {
	var items []string
	for i := range l.pairs {
		items = append(items, escape(l.pairs[i].raw))
	}
	return l.join(items)
}

func (l *linker) join(items []string) string {
	if len(items) == 0 {
		return l.prefix
	}
	return l.prefix + "?" + strings.Join(items, "&")
}

// escape escapes what would end a link in a header, and what no URL may hold.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`,;<>"\^{}|`+"`", c) >= 0 {
			const hex = "0123456789ABCDEF"
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// linksOf returns the links in the convention of the request.
func linksOf[T any](r *http.Request, page *pagination.Page[T], o *Options) Links {
	l := newLinker(r, o)
	links := Links{Self: l.self()}
	exact := int64(-1)
	if page.Count != nil && page.Count.Exact {
		exact = page.Count.N
	}
	token := func(name, token string) string {
		if token == "" {
			return ""
		}
		return l.with(name + "=" + token)
	}
	limit := strconv.Itoa(page.Limit)
	switch {
	case l.at.style == PageNumber:
		l.numbers(&links, "page", page.Number, page.Limit, page.Next != "", exact)
	case l.at.has("page[number]"):
		l.numbers(&links, "page%5Bnumber%5D", page.Number, page.Limit, page.Next != "", exact)
	case l.at.style == Offset:
		l.offsets(&links, "offset", page.Offset, page.Limit, page.Next != "", exact)
	case l.at.has("page[offset]"):
		l.offsets(&links, "page%5Boffset%5D", page.Offset, page.Limit, page.Next != "", exact)
	case l.at.style == Since:
		links.First = l.with("since=")
		if page.Next != "" {
			links.Next = l.with("since=" + page.Resume)
		}
	case l.at.style == JSONAPI:
		links.First = l.with()
		links.Next, links.Prev = token("page%5Bafter%5D", page.Next), token("page%5Bbefore%5D", page.Prev)
	case l.at.style == Relay:
		links.First = l.with("first=" + limit)
		links.Next, links.Prev = token("first="+limit+"&after", page.Next), token("last="+limit+"&before", page.Prev)
		if page.Last != "" {
			links.Last = l.with("last=" + limit)
		}
	default:
		links.First = l.with()
		links.Next, links.Prev, links.Last = token("cursor", page.Next), token("cursor", page.Prev), token("cursor", page.Last)
	}
	return links
}

// numbers fills in links by page number. The last one needs an exact count.
func (l *linker) numbers(links *Links, name string, number, limit int, more bool, exact int64) {
	page := func(n int) string { return l.with(name + "=" + strconv.Itoa(n)) }
	links.First = page(1)
	last := int((exact + int64(limit) - 1) / int64(limit))
	if number > 1 {
		links.Prev = page(number - 1)
		if exact >= 0 && number > last { // beyond the end, back to it
			links.Prev = page(max(1, last))
		}
	}
	if more {
		links.Next = page(number + 1)
		if exact >= 0 {
			links.Last = page(last)
		}
	}
}

// offsets fills in links by offset.
func (l *linker) offsets(links *Links, name string, offset, limit int, more bool, exact int64) {
	at := func(n int) string { return l.with(name + "=" + strconv.Itoa(n)) }
	links.First = at(0)
	if offset > 0 {
		links.Prev = at(max(0, offset-limit))
	}
	if more {
		links.Next = at(offset + limit)
		if exact > 0 {
			links.Last = at(int((exact - 1) / int64(limit) * int64(limit)))
		}
	}
}
