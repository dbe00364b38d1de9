package bloom_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	pages "github.com/sysblocks/sysblocks/examples/playground/pages/bloom"
)

func TestEveryMemberIsFound(t *testing.T) {
	for _, query := range []string{"", "capacity=250&rate=10", "capacity=500&rate=0.1"} {
		w := pagetest.New(t, pages.Page{}, 1, query)
		w.Do("add", "grace")
		w.Do("hundred", "")
		for range 3 {
			w.Do("thousand", "")
		}
		if w.Number("added") != 3102 || w.Number("false-negatives") != 0 {
			t.Errorf("%q: %v of %v members are called absent", query, w.Number("false-negatives"), w.Number("added"))
		}
	}
}

// The hash has no secret seed, so the facts of a seed are the same for ever.
func TestGoldenFacts(t *testing.T) {
	for _, c := range []struct {
		query                             string
		measured, low, high, theory, fill float64
		bytes                             float64
	}{
		{"", 0.0082, 0.00724, 0.00911, 0.00816065, 0.422712, 1344},
		{"rate=10", 0.08719, 0.08671, 0.09266, 0.08967077, 0.537305, 640},
		{"rate=0.1", 0.00115, 0.00068, 0.00134, 0.00099221, 0.397555, 1984},
	} {
		w := pagetest.New(t, pages.Page{}, 1, c.query)
		w.Do("thousand", "")
		got := fmt.Sprint(w.Number("measured"), w.Number("low"), w.Number("high"), w.Number("theory"), w.Number("fill"), w.Number("bytes"))
		if want := fmt.Sprint(c.measured, c.low, c.high, c.theory, c.fill, c.bytes); got != want {
			t.Errorf("%q: measured low high theory fill bytes %s, want %s", c.query, got, want)
		}
	}
}

// Each state is outside its interval once in 1,000 times. Of 60 more than 3 are so with a chance of 5e-7.
func TestMeasuredIsWhereChanceAllows(t *testing.T) {
	outside := 0
	for seed := range uint64(10) {
		w := pagetest.New(t, pages.Page{}, seed, "capacity=500")
		for _, action := range []string{"hundred", "hundred", "hundred", "hundred", "hundred", "thousand"} {
			w.Do(action, "")
			low, measured, high := w.Number("low"), w.Number("measured"), w.Number("high")
			if theory := w.Number("theory"); low > theory || theory > high {
				t.Errorf("seed %d: theory %v is not within %v and %v", seed, theory, low, high)
			}
			if kept := measured >= low && measured <= high; !kept {
				outside++
			} else if w.Fact("measured").Tone != page.Good {
				t.Errorf("seed %d: %+v is within %v and %v", seed, w.Fact("measured"), low, high)
			}
		}
	}
	if outside > 3 {
		t.Errorf("%d of 60 measurements are outside of their interval", outside)
	}
}

func TestWordShowsItsBits(t *testing.T) {
	w := pagetest.New(t, pages.Page{}, 1, "")
	w.Do("test", "grace")
	if says := w.View().Says; !strings.Contains(says, "absent, for certain: 6 of its 6 bits are clear") {
		t.Error(says)
	}
	if n := strings.Count(w.View().Picture.String(), "missing"); n != 6 {
		t.Errorf("%d bits are framed as missing", n)
	}
	w.Do("add", "grace")
	if says := w.View().Says; !strings.Contains(says, "has 6 bits in block") || !strings.Contains(says, "6 of them are new") {
		t.Error(says)
	}
	if n := strings.Count(w.View().Picture.String(), `id="mark-`); n != 6 {
		t.Errorf("%d bits are framed", n)
	}
	w.Do("test", "grace")
	if says := w.View().Says; !strings.Contains(says, "probably present") || !strings.Contains(says, "was added") {
		t.Error(says)
	}
	w.Do("add", "grace")
	if says := w.View().Says; !strings.Contains(says, "changed nothing") || w.Number("added") != 2 {
		t.Errorf("%s %v words", says, w.Number("added"))
	}
}

func TestImpossibleInputIsRefused(t *testing.T) {
	w := pagetest.New(t, pages.Page{}, 1, "")
	for _, action := range []string{"add", "test"} {
		if err := w.Refused(action, ""); !errors.Is(err, page.ErrInvalid) {
			t.Errorf("%s: %v", action, err)
		}
	}
	for range 5 {
		w.Do("thousand", "")
	}
	if err := w.Refused("thousand", ""); !errors.Is(err, page.ErrInvalid) || w.Number("added") != 5001 {
		t.Errorf("%v, %v words", err, w.Number("added"))
	}
}

// forgets drops every eighth key, crowded puts all keys into few blocks.
type (
	forgets struct{ *bloom.Filter }
	crowded struct{ *bloom.Filter }
)

func (f forgets) Add(k bloom.Key) {
	if k.Hash()%8 > 0 {
		f.Filter.Add(k)
	}
}

func (f crowded) Add(k bloom.Key)       { f.Filter.Add(crowd(k)) }
func (f crowded) Test(k bloom.Key) bool { return f.Filter.Test(crowd(k)) }

func crowd(k bloom.Key) bloom.Key { return bloom.Hashed(k.Hash() >> 3) }

// The page follows the package: with a filter that forgets, members are absent; with one that crowds, too many strangers get in.
func TestWrongFilterShows(t *testing.T) {
	wrong := func(wrap func(*bloom.Filter) pages.Filter) pages.Page {
		return pages.Page{Filter: func(capacity uint64, rate float64) (pages.Filter, error) {
			f, err := bloom.New(capacity, rate, bloom.Options{})
			return wrap(f), err
		}}
	}
	w := pagetest.New(t, wrong(func(f *bloom.Filter) pages.Filter { return forgets{f} }), 1, "")
	w.Do("thousand", "")
	if lost := w.Fact("false-negatives"); lost.Tone != page.Bad || w.Number("false-negatives") < 50 {
		t.Errorf("a filter that forgets every eighth key: %+v", lost)
	}
	w = pagetest.New(t, wrong(func(f *bloom.Filter) pages.Filter { return crowded{f} }), 1, "")
	w.Do("thousand", "")
	if in := w.Fact("measured"); in.Tone != page.Bad || w.Number("measured") <= w.Number("high") {
		t.Errorf("a filter that crowds: %+v, at most %v", in, w.Number("high"))
	}
}
