// Command gateway is a rate limiter and load balancer: four gateways before four machines in one process, whose machines it kills
// and restarts, and whose limiter it robs of its store, while it counts what clients get.
//
// Read demo.go first for what is claimed, then the package proxy in the order of its comment: that is the gateway. backend is a
// machine behind it, local runs both in one process. README.md has the map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/backend"
	"github.com/sysblocks/sysblocks/examples/gateway/local"
	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
)

//go:generate go test -run ^TestREADME$ -update .

func main() { claim.Main(gateway()) }

// config is what the flags decide.
type config struct {
	backends int
	policy   string
	onError  string
	to       []proxy.Machine // that run elsewhere, for -serve
	store    string          // what the title says
}

func gateway() claim.Example {
	c := &config{store: "embedded"}
	return claim.Example{
		Name: "gateway",
		Title: func() string {
			return fmt.Sprintf("%d gateways, %d machines, policy %s, limiter fails %s, %s", gateways, c.backends, c.policy, c.onError, c.store)
		},
		Flags:     c.flags,
		Check:     c.check,
		Supports:  engine.Support{Redis: true},
		Reach:     c.reach,
		Claims:    c.claims(),
		Bytes:     550,
		Estimate:  figures,
		Exchanges: local.Exchanges(),
		Serve:     c.serve,
		Commands:  map[string]func(context.Context, claim.Command) error{"machine": backend.Command},
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	fs.IntVar(&c.backends, "backends", 4, "machines behind the gateway, 2 to 64")
	fs.StringVar(&c.policy, "policy", "least", "who gets a request: "+strings.Join(proxy.Policies(), ", "))
	fs.StringVar(&c.onError, "on-error", "open", "when the limiter's store does not answer: open (serve) or closed (refuse)")
	fs.Func("to", "serve: balance over the machines at these `URLS`, as http://a:1,http://b:2, instead of embedded ones", c.parseTo)
}

func (c *config) parseTo(urls string) error {
	for i, u := range strings.Split(urls, ",") {
		if !strings.HasPrefix(u, "http://") {
			return fmt.Errorf("%q, want http://host:port", u)
		}
		c.to = append(c.to, proxy.Machine{Name: fmt.Sprint("machine-", i+1), URL: u})
	}
	return nil
}

func (c *config) check() error {
	switch {
	case c.backends < 2 || c.backends > 64:
		return fmt.Errorf("-backends %d, want 2 to 64", c.backends)
	case !slices.Contains(proxy.Policies(), c.policy):
		return fmt.Errorf("-policy %s, want one of %s", c.policy, strings.Join(proxy.Policies(), ", "))
	case c.onError != "open" && c.onError != "closed":
		return fmt.Errorf("-on-error %s, want open or closed", c.onError)
	}
	return nil
}

func (c *config) reach(ctx context.Context, e engine.Engines) error {
	if e.Redis != "" {
		c.store = "Redis"
	}
	return connect.Reach(ctx, e)
}

// serve runs one gateway. Several processes with one -redis are several gateways with one limit.
func (c *config) serve(ctx context.Context, site claim.Site) (err error) {
	o := local.Options{
		Engines: site.Engines, Gateways: 1, Backends: c.backends, Policy: c.policy, Seed: time.Now().UnixNano(),
		Limit: local.Served(), Closed: c.onError == "closed", Deadline: deadline, To: c.to,
	}
	s, err := local.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return site.HTTP(ctx, s.Lab())
}
