package sessionrows

import (
	"context"
	"errors"
	"os/exec"
	"strconv"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/redisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/internal/host"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
)

// site makes the loop of one contender on a Redis server.
type site struct {
	name string
	open func(c *goredis.Client, do work) (harness.Op, error)
}

func oursOnRedis(cache bool) site {
	name := "redissession"
	if cache {
		name = "CachedStore over redissession"
	}
	return site{name, func(c *goredis.Client, do work) (harness.Op, error) {
		var store session.Store
		store, err := redissession.New(c.Do, redissession.Options{})
		if err == nil && cache {
			store, err = session.NewCachedStore(store, session.CacheOptions{})
		}
		if err != nil {
			return nil, err
		}
		return onStore(do, store)
	}}
}

// scsOnRedis has an idle limit, as ours has by default.
func scsOnRedis(name string, store func(c *goredis.Client) scs.Store) site {
	return site{name, func(c *goredis.Client, do work) (harness.Op, error) {
		m := scsManager(requestOptions{idle: true})
		m.Store = store(c)
		token, err := scsLogin(m)
		if err != nil {
			return nil, err
		}
		r, err := requestWith(m.Cookie.Name, token)
		return serve(scsHandler(m, do), r), err
	}}
}

func scsSites() []site {
	return []site{
		scsOnRedis("scs goredisstore", func(c *goredis.Client) scs.Store { return goredisstore.New(c) }),
		scsOnRedis("scs redisstore", func(c *goredis.Client) scs.Store {
			addr := c.Options().Addr
			return redisstore.New(&redis.Pool{MaxIdle: 10, DialContext: func(ctx context.Context) (redis.Conn, error) {
				return redis.DialContext(ctx, "tcp", addr)
			}})
		}),
	}
}

// timed measures requests on a server of its own.
func (s site) timed(do work) harness.Contender {
	return harness.Contender{Name: s.name, Setup: func() (harness.Op, func(), error) {
		c, stop, err := host.Redis()
		if err != nil {
			return nil, nil, err
		}
		op, err := s.open(c, do)
		return op, stop, err
	}}
}

// trips counts what the server is sent for each request.
func (s site) trips(do work) harness.Contender {
	return harness.Contender{Name: s.name, Value: func() (float64, error) {
		c, stop, err := host.Redis()
		if err != nil {
			return 0, err
		}
		defer stop()
		op, err := s.open(c, do)
		if err != nil {
			return 0, err
		}
		op(1) // sends the scripts
		before, err := reads(c)
		if err != nil {
			return 0, err
		}
		const requests = 200
		op(requests)
		after, err := reads(c)
		return float64(after-before-1) / requests, err // less the INFO between
	}}
}

// reads counts the reads from clients: one for each command of a client that waits for the reply. (The statistics by
// command count what a script calls as well.)
func reads(c *goredis.Client) (int, error) {
	stats := c.InfoMap(context.Background(), "stats")
	if err := stats.Err(); err != nil {
		return 0, err
	}
	return strconv.Atoi(stats.Item("Stats", "total_reads_processed"))
}

// redisRows needs a redis-server on the path; without one the rows are left out.
func redisRows() []harness.Row {
	if _, err := exec.LookPath("redis-server"); errors.Is(err, exec.ErrNotFound) {
		return nil
	}
	timed := func(name string, do work, ours site, target harness.Target) harness.Row {
		row := harness.Row{Workload: name, Ours: ours.timed(do), Target: target, MaxAllocs: harness.NoAllocLimit}
		for _, s := range scsSites() {
			row.Peers = append(row.Peers, s.timed(do))
		}
		return row
	}
	trips := func(name string, do work, ours site, limit float64) harness.Row {
		row := harness.Row{Workload: name, Unit: "round trips", Ours: ours.trips(do), Target: harness.Limit(limit), MaxAllocs: harness.NoAllocLimit}
		for _, s := range scsSites() {
			row.Peers = append(row.Peers, s.trips(do))
		}
		return row
	}
	return []harness.Row{
		timed("Redis: read the user, idle limit", readUserID, oursOnRedis(false), harness.AtLeast(1.5)),
		timed("Redis: read the user, idle limit, behind a near cache", readUserID, oursOnRedis(true), harness.AtLeast(10)),
		timed("Redis: change one field", update, oursOnRedis(false), harness.Report()),
		trips("Redis: read the user, idle limit", readUserID, oursOnRedis(false), 1),
		trips("Redis: read the user, idle limit, behind a near cache", readUserID, oursOnRedis(true), 0.01),
		trips("Redis: change one field", update, oursOnRedis(false), 2),
	}
}
