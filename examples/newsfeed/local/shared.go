package local

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/sysblocks/sysblocks/examples/newsfeed/queue"
	"github.com/sysblocks/sysblocks/examples/newsfeed/web"
	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
)

// What processes share lies in the engines: the posts and their log in PostgreSQL; the queue, the worker numbers of ids, the sessions
// and the quotas in Redis. Followers do not: each process has its own, fed by the log.

const (
	cacheFor    = time.Minute      // lifetime of a cached post, and so long a deletion can go unnoticed in another process
	resendEvery = 30 * time.Second // how often posts are looked for whose message was lost
)

// name is that of a consumer: nobody else's, not even after a restart.
func name() string { return rand.Text() }

func (s *System) openBroker(ctx context.Context) (queue.Broker, error) {
	if s.Engines.Redis != nil {
		return queue.NewRedis(ctx, s.Engines.Redis, s.Engines.Prefix, Partitions)
	}
	return queue.NewMemory(Partitions), nil
}

// openIDs leases a worker number, so that the ids of all processes differ without a meeting.
func (s *System) openIDs(ctx context.Context) (*idgen.Snowflake, error) {
	var leaser idgen.Leaser
	var err error
	if s.Engines.Redis != nil {
		leaser, err = redisid.NewLeaser(s.Engines.Redis.Do, s.Engines.Prefix, redisid.LeaserOptions{})
	} else {
		leaser, err = sqlid.NewLeaser(s.Engines.SQL, s.dialect, "posts", sqlid.LeaserOptions{})
	}
	if err != nil {
		return nil, err
	}
	return idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{})
}

func (s *System) openSessions() (*session.Manager[web.Visit], error) {
	var store session.Store
	var err error
	if s.Engines.Redis != nil {
		store, err = redissession.New(s.Engines.Redis.Do, redissession.Options{Prefix: s.Engines.Prefix + "session:"})
	} else {
		store, err = session.NewMemoryStore(session.MemoryOptions{})
	}
	if err != nil {
		return nil, err
	}
	return session.New[web.Visit](store, session.Options{Transport: session.Cookie{Insecure: true}}) // a demo without TLS
}

// openLimit is the quota of an author: one every 200 ms, after the first twenty.
func (s *System) openLimit() (ratelimit.Backend, error) {
	limits := []ratelimit.Limit{ratelimit.PerSecond(5).WithBurst(20)}
	if s.Engines.Redis != nil {
		return redislimit.New(s.Engines.Redis.Do, limits, redislimit.Options{Prefix: s.Engines.Prefix + "authors:", Timeout: time.Second})
	}
	keyed, err := ratelimit.NewKeyed[string](limits, ratelimit.Options{})
	if err != nil {
		return nil, err
	}
	return ratelimit.Local(keyed), nil
}
