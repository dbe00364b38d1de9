// Package httplimit puts a rate limit before an http.Handler: it announces the limit in headers and answers 429 with the
// moment of renewal.
//
//	limit, err := httplimit.New(ratelimit.Local(perIP), httplimit.Options{
//		Key: httplimit.ByIP(netip.MustParsePrefix("10.0.0.0/8")), // the load balancers
//	})
//	…
//	http.ListenAndServe(":8080", limit(api))
//
// # How it works
//
//	request ─► Key ─► Cost ─► Backend.Take ─► headers ─┬─► next handler
//	            │                  │                   └─► Deny: 429
//	            └ not limited      └ error: serve, or 503 with FailClosed
//
// A denied request reads
//
//	HTTP/1.1 429 Too Many Requests
//	Content-Type: application/json
//	Retry-After: 180
//	X-RateLimit-Limit: 2000
//	X-RateLimit-Remaining: 0
//	X-RateLimit-Reset: 1404429213925
//
//	{"error":{"code":"429","message":"Request quota exceeded. Wait 3 minutes and try again.","context":{"renewal":1404429213925}}}
//
// and, beside the X-RateLimit fields, the RateLimit-Policy and RateLimit fields of the IETF draft. On an admitted
// response X-RateLimit-Reset is the moment at which the bucket is whole, on a denied one the moment at which the same
// request would be admitted. Field names are case-insensitive; net/http writes them as X-Ratelimit-Limit.
//
// # Choosing
//
// Key by the verified identity where there is one, and by address for the rest. A key made from an unauthenticated
// header lets a client choose its own bucket.
//
// ByIP without arguments believes nothing but the connection. Behind a proxy pass the proxy's networks: of
// "X-Forwarded-For: 6.6.6.6, 192.0.2.9" sent by a trusted peer, 192.0.2.9 is what that peer saw and 6.6.6.6 is what the
// client wrote. List all of your proxies and nobody else.
//
// A login form uses NoHeaders: an attacker need not know how many tries remain. Shadow decides and reports to Observe
// without denying: run it for a week before a new limit. FailClosed is for what must not be served unlimited, such as
// the sending of text messages; anything else is better served than refused while the backend is away. OnError does
// either in your own words, such as a header that says that nothing was counted.
//
// Worked number: PerHour(2000) with w=3600 is a bucket of 2,000; a client that used all of it may send one request
// every 1.8 s, and reads Retry-After: 2.
//
// NewTransport is the other side: a client that keeps a pace of its own and stops for as long as a 429 or 503 asks.
// With a Keyed of one Limiter per host, one slow server does not hold up the calls to the others.
//
// # Guarantees
//
//  1. Headers are set before the next handler runs, which may change them.
//  2. Retry-After is never earlier than the moment at which the request is admitted, but for a rest below a millisecond,
//     nor earlier than the t of RateLimit.
//  3. When no wait can help (the cost exceeds the burst, a quota is used up), Retry-After, the reset and the context are
//     left out.
//  4. Shadow sets no header and denies nothing, also when the backend fails, and does not ask OnError.
//  5. A request whose own context is done is neither served nor denied.
//  6. The transport sends a request once or not at all, and reads no body. A server can pause it for 5 minutes at most.
//  7. The middleware is safe for concurrent use; Options functions are called concurrently.
//
// # Costs
//
// With the address as key two allocations beside the header map of the response, three on a denial; most of the time
// goes into that map and two readings of the clock. Limits that change at
// run time reach the RateLimit-Policy field within a second.
//
// # Limits
//
// X-RateLimit fields describe the binding limit only; the IETF fields list all. The draft may still change. At most 64
// hops of X-Forwarded-For are read; Forwarded and X-Real-IP never are. IPv6 clients are grouped by /64, so one
// household is one client, and so is one data centre tenant; a /48 holder has 65,536 keys.
//
// # References
//
// RFC 6585 (429), RFC 9110 section 10.2.3 (Retry-After), RFC 9651 (structured fields),
// draft-ietf-httpapi-ratelimit-headers-10, GitHub's and Twitter's API documentation for the X-RateLimit fields.
package httplimit
