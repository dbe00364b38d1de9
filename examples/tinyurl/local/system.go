// Package local runs the whole system in one process: engines, instances that share nothing but them, and the front line.
package local

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/tinyurl/links"
	"github.com/sysblocks/sysblocks/examples/tinyurl/web"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// Instances are the machines, in one process.
const Instances = 4

// cacheFor is the lifetime of a cached link, and so long a deletion can go unnoticed in another process.
const cacheFor = time.Minute

// Options of Open.
type Options struct {
	Engines engine.Engines
	Dir     string  // of the embedded engine
	Fresh   bool    // a demo, which nobody else may see and which leaves nothing behind
	Codes   string  // segment or snowflake
	Cache   float64 // share of the links that an instance caches
	Links   int     // what filter and caches are sized for
}

// System is all that runs.
type System struct {
	Front    http.Handler // what clients talk to
	Services []*links.Service
	Store    *links.SQL
	engines  *connect.Engines
	dialect  sqlid.Dialect
	filter   links.Filter
	limits   web.Limits
}

// Open connects to the engines and starts the instances.
func Open(ctx context.Context, o Options) (s *System, err error) {
	s = &System{dialect: sqlid.SQLite}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}()
	if s.engines, err = connect.Open(ctx, o.Engines, connect.Options{Name: "tinyurl", Dir: o.Dir, Fresh: o.Fresh}); err != nil {
		return s, err
	}
	if err = s.openStore(ctx); err != nil {
		return s, err
	}
	if s.filter, err = s.openFilter(ctx, uint64(o.Links), o.Fresh); err != nil {
		return s, err
	}
	if s.limits, err = s.openLimits(); err != nil {
		return s, err
	}
	for range Instances {
		if err = s.start(ctx, o); err != nil {
			return s, err
		}
	}
	s.Front, err = s.Frontline(func() (web.Limits, error) { return s.limits, nil })
	return s, err
}

// openStore makes the tables that are not there yet.
func (s *System) openStore(ctx context.Context) (err error) {
	pages := sqlpage.SQLite
	if s.engines.Postgres {
		pages, s.dialect = sqlpage.Postgres, sqlid.Postgres
	}
	for _, statement := range append(sqlid.Schema(s.dialect, ""), links.Schema()...) {
		if _, err = s.engines.SQL.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	s.Store, err = links.OpenSQL(ctx, s.engines.SQL, pages)
	return err
}

// start adds an instance.
func (s *System) start(ctx context.Context, o Options) error {
	codes, err := s.Codes(ctx, o.Codes)
	if err != nil {
		return err
	}
	service, err := links.New(links.Options{
		Store: s.Store, Codes: codes, Filter: s.filter, CacheFor: cacheFor, Cached: max(int(o.Cache*float64(o.Links)), 1),
	})
	if err != nil {
		return errors.Join(err, codes.Close(ctx))
	}
	s.Services = append(s.Services, service)
	return nil
}

// Frontline puts each instance behind limits and all of them behind a balancer.
func (s *System) Frontline(limits func() (web.Limits, error)) (http.Handler, error) {
	var handlers []http.Handler
	for _, service := range s.Services {
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
func (s *System) forget(code string) {
	for _, service := range s.Services {
		service.Forget(code)
	}
}

// Close ends the instances and gives the connections back.
func (s *System) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	var errs []error
	for _, service := range s.Services {
		errs = append(errs, service.Close(ctx))
	}
	if s.Store != nil {
		errs = append(errs, s.Store.Close())
	}
	if s.engines != nil {
		errs = append(errs, s.engines.Close(ctx))
	}
	return errors.Join(errs...)
}
