package web

import "github.com/sysblocks/sysblocks/examples/internal/exchange"

// Exchanges is the HTTP interface by example, in an order that makes sense: -serve prints it as curl lines, a test replays it, the
// README shows it. It is written for an empty system and for a client that keeps cookies.
func Exchanges() []exchange.Exchange {
	type header = map[string]string
	ada, bob := header{"Authorization": "Bearer ada"}, header{"Authorization": "Bearer bob"}
	return []exchange.Exchange{
		{
			What: "publish; the cookie holds what this browser must see from now on", Method: "POST", Path: "/api/posts", Header: ada, Body: `{"text":"Hello"}`,
			Status: 201, Want: header{"Location": "", "Set-Cookie": "", "X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "19"}, Text: `"text":"Hello"`,
		},
		{What: "one's own post is there at once", Method: "GET", Path: "/api/home", Header: ada, Status: 200, Want: header{"Cache-Control": "private, no-store"}, Text: `"Hello"`},
		{What: "follow somebody; repeating it changes nothing", Method: "PUT", Path: "/api/follows/ada", Header: bob, Status: 204},
		{What: "what an author has published", Method: "GET", Path: "/api/users/ada/posts", Status: 200, Text: `"Hello"`},
		{What: "a second post", Method: "POST", Path: "/api/posts", Header: ada, Body: `{"text":"Second"}`, Status: 201, Want: header{"X-RateLimit-Remaining": "18"}},
		{What: "a page of one, with a link to the next", Method: "GET", Path: "/api/home?limit=1", Header: ada, Status: 200, Want: header{"Link": ""}, Text: `"next"`},
		{What: "an edited cursor is never page one", Method: "GET", Path: "/api/home?cursor=EDITED", Header: ada, Status: 400, Text: `"code":"token"`},
		{What: "whose feed?", Method: "GET", Path: "/api/home", Status: 401, Want: header{"WWW-Authenticate": "Bearer"}},
		{What: "a post without words", Method: "POST", Path: "/api/posts", Header: ada, Body: `{"text":""}`, Status: 400, Want: header{"Content-Type": "application/problem+json"}, Text: "1 to 500 letters"},
		{What: "somebody else's post cannot be deleted", Method: "DELETE", Path: "/api/posts/42", Header: bob, Status: 404},
		{What: "unfollow", Method: "DELETE", Path: "/api/follows/ada", Header: bob, Status: 204},
		{What: "what waits to be delivered, and what was given up", Method: "GET", Path: "/api/queue", Status: 200, Text: `"dead":0`},
	}
}
