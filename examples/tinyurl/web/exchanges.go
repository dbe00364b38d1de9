package web

import (
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
)

// Exchanges is the HTTP interface by example, in an order that makes sense: -serve prints it as curl lines, the demo replays it,
// the README shows it. It is written for an empty system; the 429 needs the first three creations without a name to be recent.
func Exchanges() []exchange.Exchange {
	type header = map[string]string
	ada := header{"Authorization": "Bearer ada"}
	as := func(name, value string) header { return header{"Authorization": "Bearer ada", name: value} }
	const api, one = "/api/links", "/api/links/go-docs"
	const spec = `{"url":"https://go.dev/ref/spec","alias":"go-spec","permanent":true}`
	docs := etag(links.Link{Code: "go-docs", URL: "https://go.dev/doc"})
	return []exchange.Exchange{
		{
			What: "create a link", Method: "POST", Path: api, Body: `{"url":"https://go.dev/doc"}`,
			Status: 201, Want: header{"Location": "", "Content-Type": mediaType, "X-RateLimit-Limit": "3", "X-RateLimit-Remaining": "2"}, Text: `"short":"/`,
		},
		{
			What: "with a code of one's own", Method: "POST", Path: api, Header: ada, Body: `{"url":"https://go.dev/doc","alias":"go-docs"}`,
			Status: 201, Want: header{"Location": one, "X-RateLimit-Limit": "5", "X-RateLimit-Reset": ""},
		},
		{
			What: "one that never changes", Method: "POST", Path: api, Header: ada, Body: spec,
			Status: 201, Want: header{"Location": "/api/links/go-spec"},
		},
		{
			What: "the code is taken", Method: "POST", Path: api, Header: ada, Body: `{"url":"https://example.com/","alias":"go-docs"}`,
			Status: 409, Want: header{"Content-Type": "application/problem+json"}, Text: "taken",
		},
		{What: "follow it: temporary, so that clicks can be counted", Method: "GET", Path: "/go-docs", Status: 302, Want: header{"Location": "https://go.dev/doc", "Cache-Control": "private, no-cache"}},
		{What: "follow one for ever: browsers keep it", Method: "GET", Path: "/go-spec", Status: 301, Want: header{"Location": "https://go.dev/ref/spec", "Cache-Control": "public, max-age=86400"}},
		{What: "headers only", Method: "HEAD", Path: "/go-docs", Status: 302, Want: header{"Location": "https://go.dev/doc"}},
		{What: "look at it", Method: "GET", Path: one, Status: 200, Want: header{"ETag": docs, "Cache-Control": "public, no-cache"}, Text: `"url":"https://go.dev/doc"`},
		{What: "unchanged since", Method: "GET", Path: one, Header: header{"If-None-Match": docs}, Status: 304, Want: header{"ETag": docs}},
		{What: "version 2 of the interface does not exist", Method: "GET", Path: one, Header: header{"Accept": "application/vnd.tinyurl.v2+json"}, Status: 406, Text: mediaType},
		{What: "a verb that links do not have", Method: "PUT", Path: one, Body: "x", Status: 405, Want: header{"Allow": "DELETE, GET, HEAD"}},
		{What: "nothing under this code", Method: "GET", Path: "/nothing", Status: 404, Want: header{"Content-Type": "application/problem+json"}},
		{What: "a body that is no JSON", Method: "POST", Path: api, Header: ada, Body: "url=https://go.dev", Status: 400, Text: "want"},
		{What: "a URL that is none", Method: "POST", Path: api, Header: ada, Body: `{"url":"ftp://go.dev"}`, Status: 400, Text: "http or https"},
		{What: "list my links, a page of one", Method: "GET", Path: api + "?limit=1", Header: ada, Status: 200, Want: header{"Link": "", "Cache-Control": "private, no-store", "Vary": "Accept-Encoding"}, Text: `"next"`},
		{What: "compressed", Method: "HEAD", Path: api, Header: as("Accept-Encoding", "gzip"), Status: 200, Want: header{"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}},
		{What: "an edited cursor is never page one", Method: "GET", Path: api + "?cursor=EDITED", Header: ada, Status: 400, Text: `"code":"token"`},
		{What: "whose links?", Method: "GET", Path: api, Status: 401, Want: header{"WWW-Authenticate": "Bearer"}},
		{What: "somebody else's link cannot be deleted", Method: "DELETE", Path: one, Header: header{"Authorization": "Bearer eve"}, Status: 404},
		{What: "delete", Method: "DELETE", Path: one, Header: ada, Status: 204},
		{What: "it was there once", Method: "GET", Path: "/go-docs", Status: 410, Want: header{"Content-Type": "application/problem+json"}},
		{What: "without a name the quota is three a minute, bad ones included", Method: "POST", Path: api, Body: "{}", Status: 400, Want: header{"X-RateLimit-Remaining": "1"}},
		{What: "a third", Method: "POST", Path: api, Body: `{"url":"https://go.dev/blog"}`, Status: 201, Want: header{"X-RateLimit-Remaining": "0"}},
		{What: "and no more", Method: "POST", Path: api, Body: `{"url":"https://go.dev/blog"}`, Status: 429, Want: header{"Retry-After": "20", "X-RateLimit-Remaining": "0", "Content-Type": "application/problem+json"}},
	}
}
