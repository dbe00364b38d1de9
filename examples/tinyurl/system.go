package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

const (
	falseRate = 0.01        // of codes that nobody has made, so many reach the store
	cacheFor  = time.Minute // and so long a deletion can go unnoticed in another process
	// The mapping from numbers to codes is secret in a real service, and constant: with another key, old codes are given out again.
	codeKey = "a key that is no secret"
)

// system is all that runs: engines, instances on them, and the front line before them.
type system struct {
	engines  *connect.Engines
	store    *links.SQL
	filter   links.Filter
	services []*links.Service
	limits   web.Limits
	front    http.Handler
}

// open connects to the engines and starts the instances. size is the number of links that filter and caches are made for.
func (c *config) open(ctx context.Context, e engine.Engines, dir string, fresh bool, size int) (s *system, err error) {
	s = &system{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close(ctx))
		}
	}()
	if s.engines, err = connect.Open(ctx, e, connect.Options{Name: "tinyurl", Dir: dir, Fresh: fresh}); err != nil {
		return s, err
	}
	page, id := sqlpage.SQLite, sqlid.SQLite
	if s.engines.Postgres {
		page, id = sqlpage.Postgres, sqlid.Postgres
	}
	for _, statement := range append(sqlid.Schema(id, ""), links.Schema()...) {
		statement = strings.Replace(statement, "CREATE TABLE idgen", "CREATE TABLE IF NOT EXISTS idgen", 1)
		if _, err = s.engines.SQL.ExecContext(ctx, statement); err != nil {
			return s, err
		}
	}
	if s.store, err = links.OpenSQL(ctx, s.engines.SQL, page); err != nil {
		return s, err
	}
	if s.filter, err = s.openFilter(ctx, uint64(size), fresh); err != nil {
		return s, err
	}
	if s.limits, err = s.openLimits(); err != nil {
		return s, err
	}
	for range instances {
		if err = s.start(ctx, c, id, max(int(c.cache*float64(size)), 1)); err != nil {
			return s, err
		}
	}
	s.front, err = s.frontline(func() (web.Limits, error) { return s.limits, nil })
	return s, err
}

// start adds an instance.
func (s *system) start(ctx context.Context, c *config, d sqlid.Dialect, cached int) error {
	codes, err := s.openCodes(ctx, c.codes, d)
	if err != nil {
		return err
	}
	service, err := links.New(links.Options{Store: s.store, Codes: codes, Filter: s.filter, CacheFor: cacheFor, Cached: cached})
	if err != nil {
		return errors.Join(err, codes.Close(ctx))
	}
	s.services = append(s.services, service)
	return nil
}

// openCodes is what an instance makes codes from. It shares nothing with the others but the counter, or the list of workers.
func (s *system) openCodes(ctx context.Context, scheme string, d sqlid.Dialect) (*links.Codes, error) {
	var counter idgen.Counter
	var leaser idgen.Leaser
	var err, leaserErr error
	if s.engines.Redis != nil {
		counter, err = redisid.NewCounter(s.engines.Redis.Do, s.engines.Prefix+"counter", redisid.CounterOptions{})
		leaser, leaserErr = redisid.NewLeaser(s.engines.Redis.Do, s.engines.Prefix, redisid.LeaserOptions{})
	} else {
		counter, err = sqlid.NewCounter(s.engines.SQL, d, "links", sqlid.CounterOptions{})
		leaser, leaserErr = sqlid.NewLeaser(s.engines.SQL, d, "links", sqlid.LeaserOptions{})
	}
	if err = errors.Join(err, leaserErr); err != nil {
		return nil, err
	}
	if scheme == "snowflake" {
		return links.NewSnowflakeCodes(ctx, leaser)
	}
	return links.NewSegmentCodes(counter, []byte(codeKey))
}

// memory is a filter that the instances of one process share.
type memory struct{ *bloom.Filter }

func (m memory) Add(_ context.Context, code bloom.Key) error { m.Filter.Add(code); return nil }

func (m memory) Test(_ context.Context, code bloom.Key) (bool, error) {
	return m.Filter.Test(code), nil
}

// anything is the filter that admits everything.
type anything struct{}

func (anything) Add(context.Context, bloom.Key) error          { return nil }
func (anything) Test(context.Context, bloom.Key) (bool, error) { return true, nil }

// openFilter fills the filter with the codes that are in the store. Where other processes may write to the store and there is no
// Redis to share a filter in, there is none: it would deny what they have made.
func (s *system) openFilter(ctx context.Context, size uint64, alone bool) (f links.Filter, err error) {
	switch {
	case s.engines.Redis != nil:
		f, err = redisbloom.New(ctx, s.engines.Redis.Do, s.engines.Prefix+"codes", size, falseRate, redisbloom.Options{})
	case s.engines.Postgres && !alone:
		return anything{}, nil
	default:
		var local *bloom.Filter
		local, err = bloom.New(size, falseRate, bloom.Options{})
		f = memory{local}
	}
	if err != nil {
		return nil, err
	}
	for code, err := range s.store.Codes(ctx) {
		if err == nil {
			err = f.Add(ctx, bloom.String(code))
		}
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

// strangers and owners are the quotas.
func strangers() []ratelimit.Limit { return []ratelimit.Limit{ratelimit.PerMinute(3)} }
func owners() []ratelimit.Limit    { return []ratelimit.Limit{ratelimit.PerSecond(20)} }

// openLimits is where the quotas are counted: for all instances in one place.
func (s *system) openLimits() (l web.Limits, err error) {
	if s.engines.Redis == nil {
		return localLimits()
	}
	options := redislimit.Options{Prefix: s.engines.Prefix + "stranger:", Timeout: time.Second}
	if l.Strangers, err = redislimit.New(s.engines.Redis.Do, strangers(), options); err != nil {
		return l, err
	}
	options.Prefix = s.engines.Prefix + "owner:"
	l.Owners, err = redislimit.New(s.engines.Redis.Do, owners(), options)
	return l, err
}

func localLimits() (web.Limits, error) {
	byAddress, err := ratelimit.NewKeyed[string](strangers(), ratelimit.Options{})
	if err != nil {
		return web.Limits{}, err
	}
	byName, err := ratelimit.NewKeyed[string](owners(), ratelimit.Options{})
	if err != nil {
		return web.Limits{}, err
	}
	return web.Limits{Strangers: ratelimit.Local(byAddress), Owners: ratelimit.Local(byName)}, nil
}

// frontline puts each instance behind its limits and all of them behind a balancer.
func (s *system) frontline(limits func() (web.Limits, error)) (http.Handler, error) {
	var handlers []http.Handler
	for _, service := range s.services {
		l, err := limits()
		if err != nil {
			return nil, err
		}
		handler, err := web.Limited(web.New(service, s.forget), l)
		if err != nil {
			return nil, err
		}
		handlers = append(handlers, handler)
	}
	return web.NewBalancer(handlers...), nil
}

// forget tells every instance of this process of a deletion.
func (s *system) forget(code string) {
	for _, service := range s.services {
		service.Forget(code)
	}
}

func (s *system) close(ctx context.Context) error {
	var errs []error
	for _, service := range s.services {
		errs = append(errs, service.Close(context.WithoutCancel(ctx)))
	}
	if s.store != nil {
		errs = append(errs, s.store.Close())
	}
	if s.engines != nil {
		errs = append(errs, s.engines.Close(ctx))
	}
	return errors.Join(errs...)
}
