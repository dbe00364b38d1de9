package lrurows

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	golanglru "github.com/hashicorp/golang-lru/v2"
	"github.com/redis/go-redis/v9"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/benchmarks/internal/host"
	"github.com/sysblocks/sysblocks/lru"
	"github.com/sysblocks/sysblocks/lru/diskstore"
	shim "github.com/sysblocks/sysblocks/lru/golanglru"
	"github.com/sysblocks/sysblocks/lru/rediscache"
)

// tierRows are the rows of what stands behind, beside and below the cache.
func tierRows(quick bool) []harness.Row {
	entries := 200_000
	if quick {
		entries = 2000
	}
	return []harness.Row{
		backedRow("Set, WriteBack, 100 keys that join until FlushEvery", 100, 0, coreSet(), harness.AtMost(3)),
		backedRow("Set, WriteBack, 1000 keys, so that full batches are saved all the time", 1000, 0, coreSet(), harness.Report()),
		backedRow("Set on a store of 1 ms, WriteBack against WriteThrough", 1000, time.Millisecond,
			backed("WriteThrough", 1000, time.Millisecond, lru.WriteThrough), harness.AtLeast(20)),
		diskPut(),
		diskTake(),
		restoreRow(entries),
		shimRow("golanglru, Get hit", func(c lruAPI, i int) { c.Get(i & 8191) }),
		shimRow("golanglru, Add and evict", func(c lruAPI, i int) { c.Add(i, i) }),
		redisRow("rediscache, hit in the process", false, harness.AtLeast(100)),
		redisRow("rediscache, hit in Redis", true, harness.AtMost(2)),
	}
}

// slowStore takes its time for each call, whatever the number of keys.
type slowStore struct{ takes time.Duration }

func (s slowStore) pause() error {
	if s.takes > 0 {
		<-time.After(s.takes)
	}
	return nil
}

func (s slowStore) Load(context.Context, int) (int, error)                { return 0, s.pause() }
func (s slowStore) Save(context.Context, int, int) error                  { return s.pause() }
func (s slowStore) Remove(context.Context, int) error                     { return s.pause() }
func (s slowStore) LoadMany(context.Context, []int) (map[int]int, error)  { return nil, s.pause() }
func (s slowStore) SaveMany(context.Context, []lru.Write[int, int]) error { return s.pause() }

func backed(name string, keys int, takes time.Duration, mode lru.WriteMode) harness.Contender {
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		b, err := lru.NewBacked(slowStore{takes}, 10_000, lru.BackedOptions[int, int]{Mode: mode})
		if err != nil {
			return nil, nil, err
		}
		ctx := context.Background()
		return func(n int) {
			for i := range n {
				if err := b.Set(ctx, i%keys, i); err != nil {
					panic(err)
				}
			}
		}, func() { _ = b.Close(ctx) }, nil
	}}
}

func backedRow(workload string, keys int, takes time.Duration, peer harness.Contender, target harness.Target) harness.Row {
	return harness.Row{
		Workload: workload, Ours: backed("lru", keys, takes, lru.WriteBack), Peers: []harness.Contender{peer},
		Target: target, MaxAllocs: harness.NoAllocLimit,
	}
}

func coreSet() harness.Contender {
	return harness.Contender{Name: "Set of the cache alone", Setup: func() (harness.Op, func(), error) {
		c, err := lru.New(10_000, lru.Options[int, int]{})
		if err != nil {
			return nil, nil, err
		}
		return func(n int) {
			for i := range n {
				c.Set(i%100, i)
			}
		}, nil, nil
	}}
}

// disk opens a store in a folder of its own.
func disk() (s *diskstore.Store[int, string], done func(), err error) {
	dir, err := os.MkdirTemp("", "lrurows")
	if err != nil {
		return nil, nil, err
	}
	if s, err = diskstore.Open(dir, diskstore.Options[int, string]{MaxBytes: 256 << 20}); err != nil {
		return nil, nil, err
	}
	return s, func() {
		_ = s.Close(context.Background())
		_ = os.RemoveAll(dir)
	}, nil
}

func diskPut() harness.Row {
	value := strings.Repeat("x", 100)
	return harness.Row{
		Workload: "diskstore, Put of 100 bytes", Target: harness.Limit(5000), MaxAllocs: harness.NoAllocLimit,
		Ours: harness.Contender{Name: "lru", Setup: func() (harness.Op, func(), error) {
			s, done, err := disk()
			if err != nil {
				return nil, nil, err
			}
			next := 0
			return func(n int) {
				for range n {
					if err := s.Put(lru.Entry[int, string]{Key: next, Value: value}); err != nil {
						panic(err)
					}
					next++
				}
			}, done, nil
		}},
	}
}

// diskTake is a hit on disk, as a cache with Overflow has it: Take, and Put for the next time.
func diskTake() harness.Row {
	value := strings.Repeat("x", 100)
	return harness.Row{
		Workload: "diskstore, Take and Put, against loading from a source of 1 ms", Target: harness.AtLeast(20),
		MaxAllocs: harness.NoAllocLimit,
		Ours: harness.Contender{Name: "lru", Setup: func() (harness.Op, func(), error) {
			s, done, err := disk()
			if err != nil {
				return nil, nil, err
			}
			for key := range 1000 {
				if err := s.Put(lru.Entry[int, string]{Key: key, Value: value}); err != nil {
					return nil, nil, err
				}
			}
			ctx := context.Background()
			return func(n int) {
				for i := range n {
					e, ok, err := s.Take(ctx, i%1000)
					if err != nil || !ok {
						panic(fmt.Sprint("no entry: ", err))
					}
					if err := s.Put(e); err != nil {
						panic(err)
					}
				}
			}, done, nil
		}},
		Peers: []harness.Contender{{Name: "reload", Setup: func() (harness.Op, func(), error) {
			source := slowStore{time.Millisecond}
			return func(n int) {
				for i := range n {
					if _, err := source.Load(context.Background(), i); err != nil {
						panic(err)
					}
				}
			}, nil, nil
		}}},
	}
}

func restoreRow(entries int) harness.Row {
	return harness.Row{
		Workload: fmt.Sprintf("Restore, an entry of %d", entries), Target: harness.Limit(2000), MaxAllocs: harness.NoAllocLimit,
		Ours: harness.Contender{Name: "lru", Value: func() (float64, error) {
			a, err := lru.New(entries, lru.Options[int, string]{})
			if err != nil {
				return 0, err
			}
			for key := range entries {
				a.Set(key, "a value of some length")
			}
			var b bytes.Buffer
			ctx := context.Background()
			if _, err := a.Save(ctx, &b, lru.Encoding[int, string]{}); err != nil {
				return 0, err
			}
			c, err := lru.New(entries, lru.Options[int, string]{})
			if err != nil {
				return 0, err
			}
			began := time.Now()
			n, err := c.Restore(ctx, &b, lru.Encoding[int, string]{})
			if err == nil && n != entries {
				err = fmt.Errorf("%d entries restored of %d", n, entries)
			}
			return float64(time.Since(began)) / float64(entries), err
		}},
	}
}

// lruAPI is what golang-lru and golanglru share.
type lruAPI interface {
	Get(key int) (int, bool)
	Add(key, value int) bool
}

func shimRow(workload string, op func(c lruAPI, i int)) harness.Row {
	contender := func(name string, open func() (lruAPI, error)) harness.Contender {
		return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
			c, err := open()
			if err != nil {
				return nil, nil, err
			}
			for i := range 8192 {
				c.Add(i, i)
			}
			next := 8192
			return func(n int) {
				for range n {
					op(c, next)
					next++
				}
			}, nil, nil
		}}
	}
	return harness.Row{
		Workload: workload, Target: harness.AtLeast(1), MaxAllocs: 0,
		Ours:  contender("lru/golanglru", func() (lruAPI, error) { return shim.New[int, int](8192) }),
		Peers: []harness.Contender{contender("golang-lru", func() (lruAPI, error) { return golanglru.New[int, int](8192) })},
	}
}

// redisRow compares a hit with a bare GET on the same server.
func redisRow(workload string, second bool, target harness.Target) harness.Row {
	return harness.Row{
		Workload: workload + ", against GET", Target: target, MaxAllocs: harness.NoAllocLimit,
		Ours: harness.Contender{Name: "lru/rediscache", Setup: func() (harness.Op, func(), error) {
			return onRedis(func(ctx context.Context, rdb *redis.Client) (func() error, error) {
				c, err := rediscache.New(rdb.Do, 1000, rediscache.Options[string, string]{Local: lru.Options[string, string]{
					TTL: time.Hour, Load: func(context.Context, string) (string, error) { return "value", nil },
				}})
				if err != nil {
					return nil, err
				}
				return func() error {
					if second {
						c.Local().Clear()
					}
					_, err := c.Fetch(ctx, "key")
					return err
				}, nil
			})
		}},
		Peers: []harness.Contender{{Name: "GET", Setup: func() (harness.Op, func(), error) {
			return onRedis(func(ctx context.Context, rdb *redis.Client) (func() error, error) {
				return func() error { return rdb.Get(ctx, "key").Err() }, rdb.Set(ctx, "key", "value", 0).Err()
			})
		}}},
	}
}

func onRedis(open func(ctx context.Context, rdb *redis.Client) (func() error, error)) (harness.Op, func(), error) {
	rdb, stop, err := host.Redis()
	if err != nil {
		return nil, nil, err
	}
	once, err := open(context.Background(), rdb)
	if err != nil {
		stop()
		return nil, nil, err
	}
	return func(n int) {
		for range n {
			if err := once(); err != nil {
				panic(err)
			}
		}
	}, stop, nil
}
