// Command tinyurl is a link shortener: four instances in one process, which it floods with readers, inventors of codes, greedy
// clients and creators, while it counts what they get.
//
// Read demo.go first for what is claimed, then follow a request: web/front.go, web/web.go, links/logic.go, links/store_sql.go.
// README.md has the map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/internal/estimate"
	"github.com/sysblocks/sysblocks/examples/tinyurl/local"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
)

//go:generate go test -run ^TestREADME$ -update .

func main() { claim.Main(tinyurl()) }

// config is what the flags decide.
type config struct {
	codes string
	cache float64
	store string // what the title says
}

func tinyurl() claim.Example {
	c := &config{store: "embedded SQLite"}
	return claim.Example{
		Name:      "tinyurl",
		Title:     func() string { return fmt.Sprintf("%d instances, %s codes, %s", local.Instances, c.codes, c.store) },
		Flags:     c.flags,
		Check:     c.check,
		Supports:  engine.Support{Redis: true, Postgres: true},
		Reach:     c.reach,
		Claims:    c.claims(),
		Bytes:     500,
		Estimate:  c.estimate,
		Exchanges: web.Exchanges(),
		Serve:     c.serve,
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	fs.StringVar(&c.codes, "codes", "segment", "where codes come from: segment or snowflake")
	fs.Float64Var(&c.cache, "cache", 0.1, "`SHARE` of the links that an instance caches")
}

func (c *config) check() error {
	if c.codes != "segment" && c.codes != "snowflake" {
		return fmt.Errorf("-codes %s, want segment or snowflake", c.codes)
	}
	if !(c.cache > 0 && c.cache <= 1) {
		return fmt.Errorf("-cache %v, want a share above 0, at most 1", c.cache)
	}
	return nil
}

func (c *config) reach(ctx context.Context, e engine.Engines) error {
	if e.Postgres != "" {
		c.store = "PostgreSQL"
	}
	if e.Redis != "" {
		c.store += " and Redis"
	}
	return connect.Reach(ctx, e)
}

func (c *config) serve(ctx context.Context, site claim.Site) (err error) {
	s, err := local.Open(ctx, local.Options{Engines: site.Engines, Dir: site.Data, Codes: c.codes, Cache: c.cache, Links: 1_000_000})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close(ctx)) }()
	return site.HTTP(ctx, s.Front)
}

// estimate adds how long codes must be, and what cache and filter take.
func (c *config) estimate(a estimate.Assumptions) []estimate.Figure {
	figures := a.Figures()
	rows := figures[3]
	bits := func(f float64) float64 { return math.Ceil(math.Log2(f)) }
	letters := func(f float64) float64 { return math.Ceil(math.Log2(f) / math.Log2(62)) }
	filter := func(f float64) float64 {
		plan, err := bloom.Plan(uint64(f), local.FalseRate)
		if err != nil {
			return 0 // more links than any filter holds
		}
		return float64(plan.Bytes())
	}
	both := func(name, how, unit string, f func(float64) float64) estimate.Figure {
		return estimate.Figure{Name: name, How: how, Unit: unit, Exact: f(rows.Exact), Board: f(rows.Board)}
	}
	return []estimate.Figure{
		both("code-bits", "log2(rows)", "", bits),
		both("code-letters", "log62(rows)", "", letters),
		estimate.Of("years-41-bits", "2^41 / (dau × writes × days)", "", func(k estimate.Calendar) float64 {
			return math.Exp2(41) / (a.DAU * a.Writes * k.DaysPerYear)
		}),
		both("random-clashes", "rows² / 2 / 62^7, if codes were drawn", "", func(f float64) float64 { return f * f / 2 / math.Pow(62, 7) }),
		estimate.Of("bytes-cache", "cache × a day's reads × bytes", "B", func(estimate.Calendar) float64 { return c.cache * a.DAU * a.Reads * a.Bytes }),
		both("bytes-filter", "a filter of 1 % for all rows", "B", filter),
	}
}
