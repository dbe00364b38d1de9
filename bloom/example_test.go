package bloom_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
)

func Example() {
	users, err := bloom.New(1_000_000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	users.Add(bloom.String("ada"))
	fmt.Println(users.Test(bloom.String("ada")), users.Test(bloom.String("bob")))
	// Output: true false
}

func ExampleJoin() {
	seen, err := bloom.New(1000, 1e-6, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	seen.Add(bloom.Join(bloom.String("ab"), bloom.String("c")))
	fmt.Println(seen.Test(bloom.Join(bloom.String("a"), bloom.String("bc"))))
	// Output: false
}

func ExampleNew_invalid() {
	_, err := bloom.New(1000, 0, bloom.Options{})
	fmt.Println(errors.Is(err, bloom.ErrInvalid))
	fmt.Println(err)
	// Output:
	// true
	// bloom: invalid argument: rate is 0, want 1e-09 to 0.5
}

func ExampleFilter_TestAndAdd() {
	seen, err := bloom.New(1000, 1e-6, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []uint64{7, 8, 7} {
		fmt.Println(id, "seen before:", seen.TestAndAdd(bloom.Uint64(id)))
	}
	// Output:
	// 7 seen before: false
	// 8 seen before: false
	// 7 seen before: true
}

func ExampleFilter_TestMany() {
	f, err := bloom.New(1000, 1e-6, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f.AddMany([]bloom.Key{bloom.String("a"), bloom.String("b")})
	var results []bool // reused from batch to batch
	results = f.TestMany(results[:0], []bloom.Key{bloom.String("b"), bloom.String("c")})
	fmt.Println(results)
	// Output: [true false]
}

func ExampleFilter_Union() {
	east, err := bloom.New(1000, 1e-6, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	west := east.Clone()
	east.Add(bloom.String("ada"))
	west.Add(bloom.String("bob"))
	if err := east.Union(west); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(east.Test(bloom.String("ada")), east.Test(bloom.String("bob")))
	// Output: true true
}

func ExampleFilter_Fold() {
	f, err := bloom.New(1_000_000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range uint64(100_000) { // far fewer than planned
		f.Add(bloom.Uint64(i))
	}
	for range 3 {
		if f, err = f.Fold(); err != nil {
			fmt.Println(err)
			return
		}
	}
	fmt.Println(f.Layout().Capacity, f.Test(bloom.Uint64(99_999)), f.Stats().Rate < 0.01)
	// Output: 125000 true true
}

func ExampleFilter_Stats() {
	f, err := bloom.New(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range uint64(2000) { // twice its capacity
		f.Add(bloom.Uint64(i))
	}
	s := f.Stats()
	fmt.Printf("about %.0f hundred keys, rate above target: %v\n", s.Keys/100, s.Rate > s.TargetRate)
	// Output: about 20 hundred keys, rate above target: true
}

func ExamplePlan() {
	l, err := bloom.Plan(100_000_000, 0.01)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.0f MB; at twice the keys the rate is %.2f\n", float64(l.Bytes())/1e6, l.RateAt(200_000_000))
	// Output: 129 MB; at twice the keys the rate is 0.11
}

func ExampleRead() {
	f, err := bloom.New(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f.Add(bloom.String("ada"))
	var file bytes.Buffer
	if _, err := f.WriteTo(&file); err != nil {
		fmt.Println(err)
		return
	}
	damaged := bytes.Clone(file.Bytes())
	damaged[100] ^= 1
	g, err := bloom.Read(&file, bloom.Options{MaxBytes: 1 << 20})
	fmt.Println(g.Test(bloom.String("ada")), err)
	_, err = bloom.Read(bytes.NewReader(damaged), bloom.Options{})
	fmt.Println(err)
	// Output:
	// true <nil>
	// bloom: damaged or truncated data: checksum
}

func ExampleOpen() {
	f, err := bloom.New(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f.Add(bloom.String("ada"))
	mapped, err := f.MarshalBinary() // in a service: the bytes of a mapped file
	if err != nil {
		fmt.Println(err)
		return
	}
	v, err := bloom.Open(mapped)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Test(bloom.String("ada")))
	// Output: true
}

func ExampleOpenAt() {
	f, err := bloom.New(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	f.Add(bloom.String("ada"))
	b, err := f.MarshalBinary()
	if err != nil {
		fmt.Println(err)
		return
	}
	var file io.ReaderAt = bytes.NewReader(b) // in a service: an *os.File
	v, err := bloom.OpenAt(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(v.Test(bloom.String("ada")))
	// Output: true <nil>
}

func ExampleNewScalable() {
	s, err := bloom.NewScalable(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range uint64(50_000) {
		s.Add(bloom.Uint64(i))
	}
	st := s.Stats()
	fmt.Println(st.Filters, "stages, rate kept:", st.Rate < 0.01)
	// Output: 6 stages, rate kept: true
}

func ExampleNewWindow() {
	w, err := bloom.NewWindow(1_000_000, 0.001, 10*time.Minute, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(w.TestAndAdd(bloom.String("message 1")), w.TestAndAdd(bloom.String("message 1")))
	// Output: false true
}

func ExampleParseSplitBlock() {
	s, err := bloom.NewSplitBlock(100, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Add(bloom.String("ada"))
	t, err := bloom.ParseSplitBlock(s.AppendBitset(nil))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(t.Test(bloom.String("ada")))
	// Output: true
}

func ExampleReadClassic() {
	c, err := bloom.NewClassic(1000, 0.01, bloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Add([]byte("ada"))
	var stream bytes.Buffer // what bits-and-blooms/bloom reads and writes
	if _, err := c.WriteTo(&stream); err != nil {
		fmt.Println(err)
		return
	}
	d, err := bloom.ReadClassic(&stream, bloom.Options{MaxBytes: 1 << 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(d.Test([]byte("ada")))
	// Output: true
}
