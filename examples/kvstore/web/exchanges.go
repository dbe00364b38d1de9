package web

import "github.com/sysblocks/sysblocks/examples/internal/exchange"

// Exchanges is the HTTP interface by example, in an order that makes sense: -serve prints it, the demo replays it, the README
// shows it.
func Exchanges() []exchange.Exchange {
	const key = "/v1/kv/user:1"
	return []exchange.Exchange{
		{What: "write a key", Method: "PUT", Path: key, Body: "Ada", Status: 204},
		{What: "read it", Method: "GET", Path: key, Status: 200, Text: "Ada", Want: map[string]string{"ETag": ""}},
		{What: "who has it: three nodes in three zones", Method: "GET", Path: "/v1/where/user:1", Status: 200, Text: `"holds": true`},
		{What: "the nodes and their shares", Method: "GET", Path: "/v1/ring", Status: 200, Text: `"epoch": 1`},
		{What: "cut the power of one of them", Method: "POST", Path: "/v1/nodes/n3/kill", Status: 204},
		{What: "the key is still there", Method: "GET", Path: key, Status: 200, Text: "Ada"},
		{What: "and can be written", Method: "PUT", Path: key, Body: "Grace", Status: 204},
		{What: "bring the node back from its log", Method: "POST", Path: "/v1/nodes/n3/restart", Status: 204},
		{What: "a sixth node joins, data moves", Method: "POST", Path: "/v1/nodes", Body: `{"id":"extra","zone":"c"}`, Status: 201},
		{What: "list keys, a page at a time", Method: "GET", Path: "/v1/keys?prefix=user:", Status: 200, Text: `"user:1"`},
		{What: "delete", Method: "DELETE", Path: key, Status: 204},
		{What: "nothing there", Method: "GET", Path: key, Status: 404, Text: "error"},
		{What: "a key has at least a byte", Method: "PUT", Path: "/v1/kv/", Body: "x", Status: 400, Text: "error"},
		{What: "no such node", Method: "POST", Path: "/v1/nodes/n99/kill", Status: 400, Text: "n99"},
		{What: "a verb that keys do not have", Method: "PATCH", Path: key, Body: "x", Status: 405, Want: map[string]string{"Allow": ""}},
	}
}
