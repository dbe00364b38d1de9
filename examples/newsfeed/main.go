// Command newsfeed is a news feed: posts reach their readers through a queue or are fetched, and are read from copies that lag behind.
// It kills its consumers and its primary, floods itself, and counts what is lost, doubled or out of order.
//
// Read demo.go first for what is claimed, then follow a post: web/web.go, feed/feed.go, queue/consumer.go, feed/fanout.go,
// replica/set.go. README.md has the map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"slices"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/local"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
)

//go:generate go test -run ^TestREADME$ -update .

func main() { claim.Main(newsfeed()) }

// config is what the flags decide.
type config struct {
	strategy     string
	celebrity    int
	replicas     int
	lag          time.Duration
	sync         bool
	store, queue string // what the title says
}

func newsfeed() claim.Example {
	c := &config{store: "SQLite", queue: "queue in memory"}
	return claim.Example{
		Name:      "newsfeed",
		Title:     c.title,
		Flags:     c.flags,
		Check:     c.check,
		Supports:  engine.Support{Redis: true, Postgres: true},
		Reach:     c.reach,
		Claims:    c.claims(),
		Bytes:     300,
		Estimate:  c.estimate,
		Exchanges: web.Exchanges(),
		Serve:     c.serve,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.strategy, "strategy", "hybrid", "how posts reach readers: write, read or hybrid")
	fs.IntVar(&c.celebrity, "celebrity", 10_000, "`FOLLOWERS` from which an account is pulled, with hybrid")
	fs.IntVar(&c.replicas, "replicas", 2, "followers of the primary, in this process")
	fs.DurationVar(&c.lag, "lag", 200*time.Millisecond, "how far the last follower lags behind")
	fs.BoolVar(&c.sync, "sync", false, "a write waits for a follower")
}

func (c *config) title() string {
	mode := "asynchronous"
	if c.sync {
		mode = "synchronous"
	}
	return fmt.Sprintf("%s fan-out, %s, %s, %d %s followers in this process %v behind", c.strategy, c.store, c.queue, c.replicas, mode, c.lag)
}

func (c *config) check() error {
	switch {
	case !slices.Contains([]feed.Strategy{feed.OnWrite, feed.OnRead, feed.Hybrid}, feed.Strategy(c.strategy)):
		return fmt.Errorf("-strategy %s, want write, read or hybrid", c.strategy)
	case c.celebrity < 100 || c.celebrity > 100_000:
		return fmt.Errorf("-celebrity %d, want 100 to 100000", c.celebrity)
	case c.replicas < 1 || c.replicas > 8:
		return fmt.Errorf("-replicas %d, want 1 to 8", c.replicas)
	case c.lag < 100*time.Millisecond || c.lag > 2*time.Second:
		return fmt.Errorf("-lag %v, want 100ms to 2s", c.lag)
	}
	return nil
}

func (c *config) reach(ctx context.Context, e engine.Engines) error {
	if e.Postgres != "" {
		c.store = "PostgreSQL"
	}
	if e.Redis != "" {
		c.queue = "queue in Redis"
	}
	return connect.Reach(ctx, e)
}

func (c *config) options() local.Options {
	return local.Options{
		Strategy: feed.Strategy(c.strategy), Celebrity: c.celebrity, Replicas: replica.Options{Followers: c.replicas, Lag: c.lag, Sync: c.sync},
	}
}

func (c *config) serve(ctx context.Context, site claim.Site) (err error) {
	o := c.options()
	o.Engines, o.Dir = site.Engines, site.Data
	s, err := local.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return site.HTTP(ctx, s.Front)
}
