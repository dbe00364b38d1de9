// Package local runs the whole system in one process: engines, a primary with its followers, an instance, the front line, and consumers.
//
// Read system.go for how the parts are put together, shared.go for what several processes have in common and where it lies.
package local

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
	"github.com/sysblocks/sysblocks/examples/internal/engine/connect"
	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/examples/newsfeed/replica"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/pagination/sqlpage"
)

// Partitions of the queue, and so many workers: chosen for good, since it decides the partition of each author.
const Partitions = 8

// Options of Open.
type Options struct {
	Engines   engine.Engines
	Dir       string // of the embedded engine
	Fresh     bool   // a demo, which nobody else may see and which leaves nothing behind
	Strategy  feed.Strategy
	Celebrity int
	Replicas  replica.Options
	Store     feed.SQLOptions
	Bare      bool // no consumers: the caller runs his own
}

// System is all that runs.
type System struct {
	Service *feed.Service
	Front   http.Handler // what clients talk to
	Copies  *replica.Set
	Broker  queue.Broker
	Store   *feed.SQL        // the primary
	Engines *connect.Engines // where the primary keeps its tables

	dialect sqlid.Dialect
	ids     *idgen.Snowflake
	stop    context.CancelFunc
	running sync.WaitGroup
}

// Open connects to the engines and starts the system. It runs until Close.
func Open(ctx context.Context, o Options) (s *System, err error) {
	s = &System{dialect: sqlid.SQLite}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close(ctx))
		}
	}()
	if s.Engines, err = connect.Open(ctx, o.Engines, connect.Options{Name: "newsfeed", Dir: o.Dir, Fresh: o.Fresh}); err != nil {
		return s, err
	}
	if err = s.openStore(ctx, o); err != nil {
		return s, err
	}
	if s.Broker, err = s.openBroker(ctx); err != nil {
		return s, err
	}
	if s.ids, err = s.openIDs(ctx); err != nil {
		return s, err
	}
	s.Copies = replica.New(background, s.Store, o.Replicas)
	s.Service, err = feed.New(feed.Options{
		Copies: s.Copies, Queue: s.Broker, IDs: s.ids, Strategy: o.Strategy, Celebrity: o.Celebrity, Cached: 100_000, CacheFor: cacheFor,
	})
	if err != nil {
		return s, err
	}
	if s.Front, err = s.frontline(); err != nil {
		return s, err
	}
	if o.Bare {
		return s, nil
	}
	return s, s.start(background)
}

// openStore makes the tables that are not there yet.
func (s *System) openStore(ctx context.Context, o Options) (err error) {
	pages := sqlpage.SQLite
	if s.Engines.Postgres {
		pages, s.dialect = sqlpage.Postgres, sqlid.Postgres
	}
	for _, statement := range append(sqlid.Schema(s.dialect, ""), feed.Schema(o.Store)...) {
		statement = strings.Replace(statement, "CREATE TABLE idgen", "CREATE TABLE IF NOT EXISTS idgen", 1)
		if _, err = s.Engines.SQL.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	s.Store, err = feed.OpenSQL(s.Engines.SQL, pages, o.Store)
	return err
}

// frontline puts the instance behind sessions and the quota of authors.
func (s *System) frontline() (http.Handler, error) {
	sessions, err := s.openSessions()
	if err != nil {
		return nil, err
	}
	authors, err := s.openLimit()
	if err != nil {
		return nil, err
	}
	return web.Limited(web.New(s.Service, sessions, s.Broker.Depth), authors)
}

// start runs a consumer, and looks now and then for posts whose message was lost.
func (s *System) start(ctx context.Context) error {
	fanout, err := feed.NewFanout(s.Copies)
	if err != nil {
		return err
	}
	consumer := s.Consumer(name(), Handler(fanout), queue.Options{})
	s.running.Go(func() { consumer.Run(ctx) })
	s.running.Go(func() {
		for wait := time.Duration(0); ; wait = resendEvery {
			select {
			case <-time.After(wait):
				_, _ = s.Service.Resend(ctx, wait/2) // what fails now is found again
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

// Handler is the work of a consumer as the queue sees it.
func Handler(f *feed.Fanout) func(ctx context.Context, d queue.Delivery) error {
	return func(ctx context.Context, d queue.Delivery) error { return f.Handle(ctx, d.Body, d.Deliveries > 1) }
}

// Consumer makes a consumer of this system's queue. A message that means nothing is poison; a store that is away is waited for.
func (s *System) Consumer(name string, handle func(context.Context, queue.Delivery) error, o queue.Options) *queue.Consumer {
	o.Poison = func(err error) bool { return errors.Is(err, feed.ErrMalformed) }
	return queue.NewConsumer(s.Broker, name, handle, o)
}

// Close ends everything and gives the connections back.
func (s *System) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	s.stop()
	s.running.Wait()
	var errs []error
	if s.Copies != nil {
		s.Copies.Close()
	}
	if s.Service != nil {
		errs = append(errs, s.Service.Close(ctx))
	}
	if s.ids != nil {
		errs = append(errs, s.ids.Close(ctx))
	}
	if s.Engines != nil {
		errs = append(errs, s.Engines.Close(ctx))
	}
	return errors.Join(errs...)
}
