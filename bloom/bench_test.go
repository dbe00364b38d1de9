package bloom

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"
)

// The filters are filled to capacity, the keys are shuffled, the results are summed without a branch.

// benchKeys is a power of two.
const benchKeys = 1 << 14

func fillTo(f *Filter, n uint64) {
	part := make([]Key, 0, 4096)
	for i := range n {
		if part = append(part, Uint64(i)); len(part) == cap(part) {
			f.AddMany(part)
			part = part[:0]
		}
	}
	f.AddMany(part)
}

// sample returns shuffled keys: present ones of a filter of n keys, absent ones, or half of each.
func sample(kind string, n uint64) []Key {
	rng := rand.New(rand.NewPCG(61, 62))
	keys := make([]Key, benchKeys)
	for i := range keys {
		v := rng.Uint64N(n)
		if kind == "absent" || (kind == "half" && rng.IntN(2) == 0) {
			v += 1 << 40
		}
		keys[i] = Uint64(v)
	}
	return keys
}

func count(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

var sizes = []struct {
	name  string
	bytes uint64
}{{"64KiB", 64 << 10}, {"1MiB", 1 << 20}, {"32MiB", 32 << 20}, {"512MiB", 512 << 20}}

// filterOf returns a full filter of about that many bytes.
func filterOf(b *testing.B, bytes uint64, rate float64, o Options) (*Filter, uint64) {
	b.Helper()
	if testing.Short() && bytes > 1<<20 {
		b.Skip("large filter")
	}
	l, err := Plan(1_000_000, rate)
	if err != nil {
		b.Fatal(err)
	}
	n := bytes * 1_000_000 / l.Bytes()
	f := newFilter(b, n, rate, o)
	fillTo(f, n)
	return f, n
}

func BenchmarkFilter(b *testing.B) {
	for _, size := range sizes {
		for _, rate := range []float64{1e-2, 1e-4} {
			f, n := filterOf(b, min(size.bytes, 64<<10), rate, Options{}) // replaced below where the size runs
			for _, kind := range []string{"absent", "present", "half"} {
				name := fmt.Sprintf("size=%s/rate=%v/keys=%s/op=", size.name, rate, kind)
				full := func(b *testing.B) {
					b.Helper()
					if f.Layout().Bytes() < size.bytes*9/10 {
						f, n = filterOf(b, size.bytes, rate, Options{})
					}
				}
				b.Run(name+"Test", func(b *testing.B) { full(b); benchTest(b, f, sample(kind, n)) })
				b.Run(name+"TestMany", func(b *testing.B) { full(b); benchTestMany(b, f, sample(kind, n)) })
				b.Run(name+"Add", func(b *testing.B) { full(b); benchAdd(b, f.Clone(), sample(kind, n)) })
				b.Run(name+"AddMany", func(b *testing.B) { full(b); benchAddMany(b, f.Clone(), sample(kind, n)) })
				b.Run(name+"TestAndAdd", func(b *testing.B) { full(b); benchTestAndAdd(b, f.Clone(), sample(kind, n)) })
			}
		}
	}
}

func benchTest(b *testing.B, f *Filter, keys []Key) {
	b.Helper()
	b.ReportAllocs()
	var sum uint64
	i := 0
	for b.Loop() {
		sum += count(f.Test(keys[i&(benchKeys-1)]))
		i++
	}
	b.ReportMetric(float64(sum)/float64(i), "hits/op")
}

func benchTestMany(b *testing.B, f *Filter, keys []Key) {
	b.Helper()
	b.ReportAllocs()
	dst := make([]bool, 0, 1024)
	at, n := 0, 0
	for b.Loop() {
		dst = f.TestMany(dst[:0], keys[at:at+1024])
		at = (at + 1024) % benchKeys
		n += 1024
	}
	b.ReportMetric(float64(b.Elapsed())/float64(n), "ns/key")
}

func benchAdd(b *testing.B, f *Filter, keys []Key) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f.Add(keys[i&(benchKeys-1)])
		i++
	}
}

func benchAddMany(b *testing.B, f *Filter, keys []Key) {
	b.Helper()
	b.ReportAllocs()
	at, n := 0, 0
	for b.Loop() {
		f.AddMany(keys[at : at+1024])
		at = (at + 1024) % benchKeys
		n += 1024
	}
	b.ReportMetric(float64(b.Elapsed())/float64(n), "ns/key")
}

func benchTestAndAdd(b *testing.B, f *Filter, keys []Key) {
	b.Helper()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		f.TestAndAdd(keys[i&(benchKeys-1)])
		i++
	}
}

// BenchmarkAddFresh adds keys that are not there, into a filter that is cleared before it fills up.
func BenchmarkAddFresh(b *testing.B) {
	for _, plain := range []bool{false, true} {
		b.Run(fmt.Sprintf("unsynchronized=%v", plain), func(b *testing.B) {
			f := newFilter(b, 800_000, 0.01, Options{Unsynchronized: plain})
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				if i%800_000 == 0 {
					f.Clear()
				}
				f.Add(Uint64(i))
				i++
			}
		})
	}
}

func BenchmarkKeys(b *testing.B) {
	f, _ := filterOf(b, 1<<20, 0.01, Options{})
	for _, n := range []int{8, 16, 100} {
		text := string(bytes.Repeat([]byte("k"), n))
		b.Run(fmt.Sprintf("form=String/len=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			var sum uint64
			for b.Loop() {
				sum += count(f.Test(String(text)))
			}
		})
	}
	b.Run("form=Uint64", func(b *testing.B) {
		b.ReportAllocs()
		i := uint64(0)
		for b.Loop() {
			i += count(f.Test(Uint64(i))) + 1
		}
	})
	b.Run("form=Join/len=2", func(b *testing.B) {
		b.ReportAllocs()
		i := uint64(0)
		for b.Loop() {
			i += count(f.Test(Join(Uint64(i), Uint64(7)))) + 1
		}
	})
}

func BenchmarkParallel(b *testing.B) {
	for _, writes := range []int{0, 10, 50, 100} {
		for _, spread := range []string{"all", "hot"} {
			b.Run(fmt.Sprintf("writes=%d/keys=%s", writes, spread), func(b *testing.B) {
				f, n := filterOf(b, 1<<20, 0.01, Options{})
				keys := sample("half", n)
				if spread == "hot" {
					for i := range keys {
						keys[i] = keys[0]
					}
				}
				b.ReportAllocs()
				var id atomic.Int64
				b.RunParallel(func(pb *testing.PB) {
					var sum uint64
					for i := int(id.Add(1)) * 1000; pb.Next(); i++ {
						k := keys[i&(benchKeys-1)]
						if i%100 < writes {
							f.Add(k)
						} else {
							sum += count(f.Test(k))
						}
					}
				})
			})
		}
	}
}

func BenchmarkOthers(b *testing.B) {
	const n = 800_000 // about 1 MiB at 1 %
	keys := sample("half", n)
	scalable := newScalable(b, n/8, 0.01, Options{})
	window := newWindow(b, n, 0.01, time.Hour)
	split := newSplitBlock(b, n, 0.01, Options{})
	classic := newClassic(b, n, 0.01)
	for i := range uint64(n) {
		scalable.Add(Uint64(i))
		window.Add(Uint64(i))
		split.Add(Uint64(i))
		classic.Add(fmt.Append(nil, i))
	}
	run := func(name string, op func(k Key) bool) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var sum uint64
			i := 0
			for b.Loop() {
				sum += count(op(keys[i&(benchKeys-1)]))
				i++
			}
		})
	}
	run("type=Scalable/op=Test", scalable.Test)
	run("type=Scalable/op=TestAndAdd", scalable.TestAndAdd)
	run("type=Window/op=Test", window.Test)
	run("type=Window/op=TestAndAdd", window.TestAndAdd)
	run("type=SplitBlock/op=Test", split.Test)
	key := []byte("some key")
	run("type=Classic/op=Test", func(Key) bool { return classic.Test(key) })
}

func BenchmarkFormats(b *testing.B) {
	f, _ := filterOf(b, 64<<20, 0.01, Options{})
	data, err := f.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	for name, work := range map[string]func() error{
		"WriteTo":     func() error { _, err := f.WriteTo(io.Discard); return err },
		"Read":        func() error { _, err := Read(bytes.NewReader(data), Options{}); return err },
		"Open":        func() error { _, err := Open(data); return err },
		"OpenTrusted": func() error { _, err := OpenTrusted(data); return err },
	} {
		b.Run("op="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := work(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, rate := range []float64{0.01, 1e-4} {
		b.Run(fmt.Sprintf("keys=1000/rate=%v", rate), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New(1000, rate, Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
