package idgen_test

import (
	"testing"
	"time"

	redigo "github.com/gomodule/redigo/redis"
	"github.com/redis/go-redis/v9"
	"github.com/redis/rueidis"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/idgentest"
	"github.com/sysblocks/sysblocks/idgen/redisid"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

func TestKits(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newStore(t, kind)
			// Names are values, whatever is in them.
			t.Run("leaser", func(t *testing.T) {
				idgentest.TestLeaser(t, func(t *testing.T) idgen.Leaser {
					t.Helper()
					return must(t)(s.leaser(`or"ders'; -- ü`))
				})
			})
			t.Run("counter", func(t *testing.T) {
				idgentest.TestCounter(t, func(t *testing.T) idgen.Counter {
					t.Helper()
					return mustCounter(t)(s.counter(`in"voices'; -- ü`))
				})
			})
		})
	}
}

func must(t *testing.T) func(idgen.Leaser, error) idgen.Leaser {
	t.Helper()
	return func(l idgen.Leaser, err error) idgen.Leaser {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
}

func mustCounter(t *testing.T) func(idgen.Counter, error) idgen.Counter {
	t.Helper()
	return func(c idgen.Counter, err error) idgen.Counter {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

func TestKitsOverOtherRedisClients(t *testing.T) {
	s := servers.Redis(t)
	pool := &redigo.Pool{Dial: func() (redigo.Conn, error) { return redigo.Dial("tcp", s.Addr) }}
	defer pool.Close()
	rue, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.Addr}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer rue.Close()
	for name, do := range map[string]func() (idgen.Leaser, idgen.Counter, error){
		"redigo": func() (idgen.Leaser, idgen.Counter, error) {
			l, err := redisid.NewLeaser(redigoDo(pool), "redigo", redisid.LeaserOptions{})
			if err != nil {
				return nil, nil, err
			}
			c, err := redisid.NewCounter(redigoDo(pool), "c-redigo", redisid.CounterOptions{First: 1000})
			return l, c, err
		},
		"rueidis": func() (idgen.Leaser, idgen.Counter, error) {
			l, err := redisid.NewLeaser(rueidisDo(rue), "rueidis", redisid.LeaserOptions{})
			if err != nil {
				return nil, nil, err
			}
			c, err := redisid.NewCounter(rueidisDo(rue), "c-rueidis", redisid.CounterOptions{FloorRate: 1000})
			return l, c, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			l, c, err := do()
			if err != nil {
				t.Fatal(err)
			}
			idgentest.TestLeaser(t, func(*testing.T) idgen.Leaser { return l })
			idgentest.TestCounter(t, func(*testing.T) idgen.Counter { return c })
		})
	}
}

func TestARedisClusterServesLeasesAndCounters(t *testing.T) {
	nodes := servers.RedisCluster(t, 3)
	addresses := make([]string, len(nodes))
	for i, n := range nodes {
		addresses[i] = n.Addr
	}
	rdb := redis.NewClusterClient(&redis.ClusterOptions{Addrs: addresses})
	defer rdb.Close()
	for _, name := range []string{"a", "b", "c", "d"} { // several slots
		l, err := redisid.NewLeaser(rdb.Do, name, redisid.LeaserOptions{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := l.Acquire(t.Context(), 4, time.Now(), time.Now().Add(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Extend(t.Context(), g, g.Until.Add(time.Second)); err != nil {
			t.Fatal(err)
		}
		c, err := redisid.NewCounter(rdb.Do, "n-"+name, redisid.CounterOptions{FloorRate: 10})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Reserve(t.Context(), 10); err != nil {
			t.Fatal(err)
		}
	}
}

// Two namespaces and two prefixes never touch.
func TestNamespacesAndPrefixesAreApart(t *testing.T) {
	s := newStore(t, "sqlite")
	for _, statement := range sqlid.Schema(sqlid.SQLite, "other") {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ prefix, namespace string }{{"", "a"}, {"", "A"}, {"", "a "}, {"other", "a"}} {
		l, err := sqlid.NewLeaser(s.db, sqlid.SQLite, c.namespace, sqlid.LeaserOptions{Prefix: c.prefix})
		if err != nil {
			t.Fatal(err)
		}
		g, err := l.Acquire(t.Context(), 1, time.Now(), time.Now().Add(time.Minute))
		if err != nil || g.Worker != 0 {
			t.Fatalf("%+v: %+v, %v", c, g, err)
		}
		n, err := sqlid.NewCounter(s.db, sqlid.SQLite, c.namespace, sqlid.CounterOptions{Prefix: c.prefix, First: 7})
		if err != nil {
			t.Fatal(err)
		}
		if first, err := n.Reserve(t.Context(), 1); err != nil || first != 7 {
			t.Fatalf("%+v: %d, %v", c, first, err)
		}
	}
}
