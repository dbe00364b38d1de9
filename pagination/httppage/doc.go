// Package httppage serves the pages of package pagination over net/http, in the
// conventions that clients know, and walks such lists as a client.
//
//	http.Handle("GET /posts", httppage.Handler(pager, httppage.Options{}))
//
//	for post, err := range httppage.Walk[Post](ctx, "https://api.example.com/posts", httppage.ClientOptions{}) {
//		…
//	}
//
// # How it works
//
// A request is parsed, a page is read, and the answer tells the client where to
// go on. Clients follow links; they never build any.
//
//	GET /cars?sort=-sold&seats<=4&fields=id,model&limit=2
//
//	200 OK
//	Content-Type: application/json
//	Link: </cars?sort=-sold&seats%3C=4&fields=id%2Cmodel&limit=2&cursor=EAEA…>; rel="next", …
//
//	{"data":       [{"id":9,"model":"99"},{"id":4,"model":"900"}],
//	 "pagination": {"limit":2,"next":"EAEA…"},
//	 "links":      {"self":"…","first":"…","next":"…","last":"…"}}
//
// Parameters that every convention shares:
//
//	sort=-sold,+model       an unescaped plus sign arrives as a space, and is understood
//	color=red               equal; also seats!=2 seats<2 seats<=2 seats>2 seats>=2
//	seats[lte]=2            the same with words: eq ne lt lte gt gte
//	color[in]=red,blue      one of; sold[null]=true
//	fields=id,model         of Options.Fields
//
// Only what the pager's Sort and Filter and Options.Fields allow is accepted, and
// other parameters are ignored: but a parameter of a convention that is not accepted
// is an error, since a client whose position is ignored reads page one for ever.
//
// An error of the request is 400 with problem details (RFC 9457):
//
//	{"type":"about:blank","title":"Bad Request","status":400,
//	 "detail":"bad limit: negative (parameter \"limit\")","code":"limit","param":"limit"}
//
// [Parse], [Write], [WriteError], [SetHeaders] and [NewEnvelope] are the parts of
// [Handler], for handlers of your own.
//
// # Choosing
//
// Cursor (cursor, limit) is the default: right at any depth and under writes.
// after and before take a token of a row; before alone shows the rows just before it.
//
// PageNumber (page, per_page) and Offset (offset, limit) are for people who jump
// within the first pages. A page of 20 at page p costs the database 20·p rows: page
// 500 reads 10,000 to show 20, which is where the pager's MaxOffset stands. Inserts
// between two requests repeat rows, deletes hide them.
//
// Since (since, limit) keeps a copy in sync. The answer always holds since, also
// when no row is left: store it, ask again later. since= without a value starts at
// the first row. The pager's order must ascend.
//
// JSONAPI (page[size], page[after], …) and Relay (first, last, after, before) are
// accepted when named in Options.Styles.
//
// Totals: with the pager's Count exact, answers have count and X-Total-Count, and page
// numbers get a last link. It costs a count of all matches for each page.
//
// # Guarantees
//
//  1. Links repeat the request's path and parameters, in their order, with the position
//     replaced. They are relative unless Options.Base is set; Host and forwarding headers
//     are never used, and a path that begins with two slashes cannot name a host.
//  2. data is never null. A page past the end is 200 with an empty list.
//  3. A bad token is 400 and names the reason; it is never page one. No error holds a token,
//     and a 500 holds no detail. To a cancelled request nothing is written.
//  4. next and prev stay in the convention of the request; first in page numbers and offsets as well.
//  5. Walk and Pages never send a request to another origin, by link or redirect, unless
//     OtherOrigin is set; never get the same URL twice; and end with an error, never
//     silently, when a page cannot be had.
//  6. Only 429, 502, 503, 504 and errors of the connection are retried, after Retry-After or a
//     random wait; the context ends every wait.
//  7. All functions are safe for concurrent use, and leave no goroutine behind.
//
// # Costs
//
// Parse: a few allocations per parameter. Write: one encoding of the page into
// memory, sent with its length; with fields=, each row is encoded, scanned and copied
// once more. ParseLink: one allocation for the list and one per link. Walk holds
// one page and 16 bytes per page walked.
//
// # Limits
//
// Bodies are JSON. Numbered links cannot know a last page without an exact count.
// The way in which principals are found is yours: set Principal in Options.Prepare,
// and refuse a request before Handler; an error of Prepare that is none of the
// request's is answered with 500. A hostile client can ask for every allowed sort and
// filter: give each an index, or do not allow it. At most 32 filters are read.
//
// Walk decodes a page as a whole, at most MaxBody bytes. It believes Link headers;
// only without any it follows links.next of the body. Retries repeat GET requests.
//
// # References
//
//   - RFC 8288, Web Linking; RFC 9457, Problem Details for HTTP APIs; RFC 9110, HTTP Semantics
//   - JSON:API 1.1, and its profile "Cursor Pagination"
//   - GraphQL Cursor Connections Specification
//   - M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015
package httppage
