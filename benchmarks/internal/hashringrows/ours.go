package hashringrows

import (
	"runtime"
	"sync"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/hashring"
)

// sink keeps results alive.
type sink struct {
	name  string
	count int
}

func keysFor(z sizes, nodes int) int {
	if nodes == z.many {
		return z.keys
	}
	return few
}

func ourGet(z sizes, nodes int) harness.Contender {
	return overKeys("ours", keysFor(z, nodes), func() func([]string) {
		r := ourRing(nodes, 0, points)
		var s sink
		return func(keys []string) {
			for _, key := range keys {
				s.name, _ = r.Get(key)
			}
		}
	})
}

func ourAppendN(z sizes, zones int) harness.Contender {
	return overKeys("ours", few, func() func([]string) {
		r := ourRing(z.nodes, zones, points)
		buf := make([]string, 0, 3)
		return func(keys []string) {
			for _, key := range keys {
				buf = r.AppendN(buf[:0], key, 3)
			}
		}
	})
}

// inParallel runs a contender in several goroutines on as many processors, each with its share of the operations.
func inParallel(procs int, c parallelContender) harness.Contender {
	return harness.Contender{Name: c.name, Setup: func() (harness.Op, func(), error) {
		run := c.setup()
		at := 0
		return func(n int) {
			before := runtime.GOMAXPROCS(procs)
			defer runtime.GOMAXPROCS(before)
			part := n/procs + 1
			var wg sync.WaitGroup
			for g := range procs {
				wg.Go(func() { run(at+g*part, part) })
			}
			wg.Wait()
			at += n
		}, nil, nil
	}}
}

// parallelContender looks n keys up, from position at of the key table; run may be called concurrently.
type parallelContender struct {
	name  string
	setup func() (run func(at, n int))
}

func ourParallelGet(z sizes) parallelContender {
	return parallelContender{name: "ours", setup: func() func(at, n int) {
		r, keys := ourRing(z.nodes, 0, points), keyTable(few)
		return func(at, n int) {
			var s sink
			for i := at; i < at+n; i++ {
				s.name, _ = r.Get(keys[i&(few-1)])
			}
			runtime.KeepAlive(s)
		}
	}}
}

func ourAddRemove(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		r := ourRing(z.nodes, 0, points)
		joiner := hashring.Nodes("joiner")
		return func(n int) {
			for range n {
				if _, err := r.Add(joiner...); err != nil {
					panic(err)
				}
				r.Remove("joiner")
			}
		}, nil, nil
	}}
}

func ourBuild(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		nodes := hashring.Nodes(names(z.many / 10)...)
		return func(n int) {
			for range n {
				if _, err := hashring.New(nodes, hashring.Options{VNodes: points}); err != nil {
					panic(err)
				}
			}
		}, nil, nil
	}}
}

func join(z sizes) hashring.Change[string] {
	r := ourRing(z.many/10, 0, 256)
	change, err := r.Add(hashring.Nodes("joiner")...)
	if err != nil {
		panic(err)
	}
	return change
}

// ourMoves makes one whole plan per operation.
func ourMoves(z sizes, replicas int) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		change := join(z)
		return func(n int) {
			for range n {
				var s sink
				for range change.Moves(replicas) {
					s.count++
				}
				runtime.KeepAlive(s)
			}
		}, nil, nil
	}}
}

// ourGetPerBoundary makes one Get for each point of the larger ring.
func ourGetPerBoundary(z sizes) harness.Contender {
	return harness.Contender{Name: "a Get per boundary", Setup: func() (harness.Op, func(), error) {
		s := join(z).New
		keys, boundaries := keyTable(few), s.Stats().Points
		return func(n int) {
			var out sink
			for i := range n * boundaries {
				out.name, _ = s.Get(keys[i&(len(keys)-1)])
			}
			runtime.KeepAlive(out)
		}, nil, nil
	}}
}

func ourBytes(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		st := ourRing(z.many/5, 0, 256).Snapshot().Stats()
		return float64(st.Bytes) / float64(st.Points), nil
	}}
}

// heapOf measures the heap that one ring keeps alive, per node.
func heapOf(name string, z sizes, build func() any) harness.Contender {
	return harness.Contender{Name: name, Value: func() (float64, error) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		kept := build()
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(kept)
		return max(1, float64(after.HeapAlloc)-float64(before.HeapAlloc)) / float64(z.nodes), nil
	}}
}

func ourAcquire(z sizes) harness.Contender {
	return overKeys("ours", few, func() func([]string) {
		b, err := hashring.NewBalancer(ourRing(z.nodes, 0, points), hashring.BalancerOptions{})
		if err != nil {
			panic(err)
		}
		return func(keys []string) {
			for _, key := range keys {
				lease, _ := b.Acquire(key)
				lease.Release()
			}
		}
	})
}

func ourGroup(z sizes) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		s, keys := ourRing(z.nodes, 0, points).Snapshot(), keyTable(1024)[:1000]
		return func(n int) {
			for range n {
				for range s.Group(keys) {
					continue
				}
			}
		}, nil, nil
	}}
}

func ourThousandGets(z sizes) harness.Contender {
	return harness.Contender{Name: "1000 Gets", Setup: func() (harness.Op, func(), error) {
		s, keys := ourRing(z.nodes, 0, points).Snapshot(), keyTable(1024)[:1000]
		return func(n int) {
			var out sink
			for range n {
				for _, key := range keys {
					out.name, _ = s.Get(key)
				}
			}
			runtime.KeepAlive(out)
		}, nil, nil
	}}
}
