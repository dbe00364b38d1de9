package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/local"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/ratelimit"
)

const (
	gateways = 4
	// deadline is what a decision of the limiter may take: little beside an answer, much beside a healthy store.
	deadline = 50 * time.Millisecond
)

// claims are what this program says of itself, each with the attack and with the naive way.
func (c *config) claims() []claim.Claim { return append(c.loadClaims(), c.lossClaims()...) }

// loadClaims are about who gets in, and who gets it, with all machines at work.
func (c *config) loadClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "a", Text: "four gateways, one limit",
			Run: c.hammered(false), Holds: func(f claim.Facts) bool {
				return f.Over("windows", 0) && f.Is("over-admitted", 0) && f.Over("times-allowed", 0.5)
			},
			ControlText: "a limiter in each gateway",
			Control:     c.hammered(true), Breaks: func(f claim.Facts) bool { return f.Over("over-admitted", 0) && f.Over("times-allowed", 2) },
			Show: []string{"gateways", "requests", "admitted", "allowed", "times-allowed", "windows", "over-admitted"},
		},
		{
			ID: "b", Text: "bounded: no machine above its bound",
			Run: compared, Holds: balanced,
			ControlText: "plain hash, a hot key",
			Control:     hashedOnly, Breaks: func(f claim.Facts) bool { return f.Over("steps", 0) && f.Over("over-bound", 0) },
			Show: compareOrder(),
		},
		{
			ID: "c", Text: "all machines restart in turn",
			Run: c.restarted(true), Holds: func(f claim.Facts) bool {
				return f.Over("requests", 0) && f.Over("restarts", 1) && f.Is("failed", 0)
			},
			ControlText: "without draining",
			Control:     c.restarted(false), Breaks: func(f claim.Facts) bool { return f.Over("restarts", 1) && f.Over("failed", 0) },
			Show: []string{"requests", "restarts", "failed"},
		},
	}
}

// lossClaims are about what goes away.
func (c *config) lossClaims() []claim.Claim {
	return []claim.Claim{
		{
			ID: "d", Text: "a machine dies and nobody is logged out",
			Run: c.died(false), Holds: func(f claim.Facts) bool {
				return f.Over("on-that-machine", 0) && f.Is("unanswered", 0) && f.Is("logged-out", 0)
			},
			ControlText: "sessions in its memory",
			Control:     c.died(true), Breaks: func(f claim.Facts) bool { return f.Over("on-that-machine", 0) && f.Over("logged-out", 0) },
			Show: []string{"users", "on-that-machine", "unanswered", "logged-out"},
		},
		{
			ID: "e", Text: "one of ten machines leaves: its users move",
			Run: left, Holds: func(f claim.Facts) bool {
				return f.Over("users", 0) && f.Over("of-that-machine", 0) && f.Is("moved", f["of-that-machine"]) && f.Is("moved-elsewhere", 0)
			},
			ControlText: "hash modulo n",
			Control:     leftModulo, Breaks: func(f claim.Facts) bool { return f.Over("moved-elsewhere", 0) && f.Over("moved-share", 0.8) },
			Show: []string{"users", "of-that-machine", "moved", "moved-elsewhere", "moved-share"},
		},
		{
			ID: "f", Text: "the limiter's store stops answering",
			Run: c.stalled, Holds: func(f claim.Facts) bool {
				return f.Over("open-counted", 0) && f.Over("open-requests", 0) && f.Is("open-failed", 0) && f.Is("open-marked", f["open-requests"]) &&
					f.Over("closed-counted", 0) && f.Over("closed-requests", 0) && f.Is("closed-admitted", 0) && f.Is("closed-503", f["closed-requests"]) &&
					f.Is("recovered", 2) && f.AtMost("p99-ms", 1000)
			},
			ControlText: "no deadline on the store",
			Control:     c.patient, Breaks: func(f claim.Facts) bool { return f.Over("p99-ms", 1000) && f.Is("decided", f["requests"]) },
			Show: []string{
				"open-counted", "open-requests", "open-failed", "open-marked",
				"closed-counted", "closed-requests", "closed-admitted", "closed-503", "recovered", "requests", "decided", "p99-ms",
			},
		},
	}
}

// plenty is a limit that nobody reaches: requests are counted, and admitted.
func plenty() ratelimit.Limit { return ratelimit.PerSecond(1_000_000) }

// with runs an attack on a fresh system.
func (c *config) with(ctx context.Context, env claim.Env, o local.Options, attack func(s *local.System, client *http.Client) (claim.Facts, error)) (facts claim.Facts, err error) {
	o.Engines, o.Fresh, o.Seed = env.Engines, true, env.Seed
	o.Gateways, o.Backends = gateways, c.backends
	if o.Policy == "" {
		o.Policy = c.policy
	}
	if o.Probe == 0 {
		o.Probe = 10 * time.Millisecond
	}
	s, err := local.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	transport := s.Transport()
	defer transport.CloseIdleConnections()
	return attack(s, &http.Client{Transport: transport})
}

// answer is what a client has got.
type answer struct {
	status  int
	header  http.Header
	body    string
	latency time.Duration
}

// ask sends a request in the name of a user; "" is nobody.
func ask(ctx context.Context, client *http.Client, method, path, user string) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://shop.example"+path, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if user != "" {
		request.Header.Set("Authorization", "Bearer "+user)
	}
	began := time.Now()
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), time.Since(began)}, errors.Join(err, response.Body.Close())
}

// counted reports whether the limiter has decided about a request.
func (a answer) counted() bool {
	return a.header.Get("X-RateLimit-Remaining") != "" && a.header.Get(proxy.UnlimitedHeader) == ""
}
