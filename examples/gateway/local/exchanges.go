package local

import (
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/ratelimit"
)

// Served is the limit of -serve: one request a second, 20 at once. POST /work counts as 10.
func Served() ratelimit.Limit { return ratelimit.PerSecond(1).WithBurst(20) }

// Exchanges is the HTTP interface by example, in an order that makes sense: -serve prints it as curl lines, a test replays it, the
// README shows it. It is written for -on-error open.
func Exchanges() []exchange.Exchange {
	type header = map[string]string
	as := func(name string) header { return header{"Authorization": "Bearer " + name} }
	const work, problems = "/work", "application/problem+json"
	return []exchange.Exchange{
		{
			What: "who am I? nobody yet", Method: "GET", Path: "/me",
			Status: 200, Want: header{proxy.MachineHeader: "", proxy.RequestHeader: "", "X-RateLimit-Limit": "20", "Cache-Control": "private, no-store"}, Text: `"user":""`,
		},
		{What: "log in", Method: "POST", Path: "/login", Body: "user=ada", Status: 200, Want: header{"Set-Cookie": ""}, Text: `"user":"ada"`},
		{What: "a cart belongs to somebody", Method: "POST", Path: "/cart", Body: "item=tea", Status: 401, Want: header{"Content-Type": problems}},
		{What: "a login is no GET", Method: "GET", Path: "/login", Status: 405, Want: header{"Allow": "POST"}},
		{What: "expensive requests cost ten", Method: "POST", Path: work, Header: as("eve"), Body: "ms=1", Status: 204, Want: header{"X-RateLimit-Remaining": "10"}},
		{What: "twenty at once", Method: "POST", Path: work, Header: as("eve"), Body: "ms=1", Status: 204, Want: header{"X-RateLimit-Remaining": "0"}},
		{What: "and no more, for ten seconds", Method: "POST", Path: work, Header: as("eve"), Body: "ms=1", Status: 429, Want: header{"Retry-After": "10", "Content-Type": problems}},
		{What: "others are not concerned", Method: "GET", Path: "/me", Header: as("bob"), Status: 200, Want: header{"X-RateLimit-Remaining": "19"}},
		{What: "a machine dies", Method: "POST", Path: "/lab/kill/backend-1", Status: 204},
		{What: "another one answers", Method: "GET", Path: "/me", Header: as("bob"), Status: 200, Want: header{proxy.MachineHeader: ""}},
		{What: "what the gateway sees", Method: "GET", Path: proxy.StatusPath, Status: 200, Want: header{"Cache-Control": "no-store"}, Text: `"backend-1"`},
		{What: "it comes back", Method: "POST", Path: "/lab/start/backend-1", Status: 204},
		{What: "a machine stops when it has nothing to do any more", Method: "POST", Path: "/lab/drain/backend-2", Status: 204},
		{What: "and is started anew", Method: "POST", Path: "/lab/start/backend-2", Status: 204},
		{What: "the store of the limiter stops answering", Method: "POST", Path: "/lab/stall", Status: 204},
		{What: "served, and marked: nobody has counted it", Method: "GET", Path: "/me", Header: as("bob"), Status: 200, Want: header{proxy.UnlimitedHeader: "unavailable"}},
		{What: "it answers again", Method: "POST", Path: "/lab/resume", Status: 204},
	}
}
