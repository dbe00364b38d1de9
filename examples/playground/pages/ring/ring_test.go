package ring_test

import (
	"errors"
	"math"
	"testing"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/ring"
)

func TestAddMovesOnlyWhatTheNewNodeOwns(t *testing.T) {
	for seed := range uint64(10) {
		w := pagetest.New(t, ring.Page{}, seed, "")
		w.Do("add", "")
		moved, due := w.Number("moved"), w.Number("moved-to-new")
		if moved == 0 || moved != due || w.Number("share") > w.Number("bound") || w.Number("keys") != 100_000 {
			t.Errorf("seed %d: moved %v, of them to the new node %v, share %v, bound %v", seed, moved, due, w.Number("share"), w.Number("bound"))
		}
	}
}

func TestModuloMovesFiveSixths(t *testing.T) {
	w := pagetest.New(t, ring.Page{}, 7, "placement=modulo")
	w.Do("add", "")
	// 100,000 keys: 0.01 is eight standard deviations.
	if share := w.Number("share"); math.Abs(share-5.0/6) > 0.01 {
		t.Errorf("share %v", share)
	}
	if w.Fact("share").Tone != page.Bad {
		t.Error("the share of modulo is not marked as above the bound")
	}
}

func TestRemoveThenAddBringsEveryKeyHome(t *testing.T) {
	for _, placement := range []string{"ring", "bounded"} {
		w := pagetest.New(t, ring.Page{}, 7, "placement="+placement)
		w.Do("remove", "c")
		if home := w.Number("restored"); home == 100_000 {
			t.Errorf("%s: nothing left home", placement)
		}
		w.Do("add", "")
		if home := w.Number("restored"); home != 100_000 {
			t.Errorf("%s: %v keys at home", placement, home)
		}
	}
}

func TestMorePointsAreMoreEven(t *testing.T) {
	last := math.Inf(1)
	for _, vnodes := range []string{"1", "16", "512"} {
		w := pagetest.New(t, ring.Page{}, 7, "vnodes="+vnodes)
		even := w.Number("max-over-mean")
		if even >= last {
			t.Errorf("%s points: %v, not below %v", vnodes, even, last)
		}
		last = even
	}
	if last > 1.25 {
		t.Errorf("512 points: %v", last)
	}
}

func TestWeightBringsKeys(t *testing.T) {
	w := pagetest.New(t, ring.Page{}, 7, "vnodes=512")
	w.Do("weigh", "a")
	if w.Number("moved") == 0 || w.Number("moved") != w.Number("moved-to-new") {
		t.Errorf("moved %v, to a %v", w.Number("moved"), w.Number("moved-to-new"))
	}
	w.Do("weigh", "a")
	w.Do("weigh", "a")
	if home := w.Number("restored"); home != 100_000 {
		t.Errorf("back at weight 1: %v keys at home", home)
	}
}

func TestImpossibleChangesAreRefused(t *testing.T) {
	w := pagetest.New(t, ring.Page{}, 7, "nodes=1")
	for _, c := range [][2]string{{"remove", "a"}, {"remove", "x"}, {"weigh", ""}} {
		if err := w.Refused(c[0], c[1]); !errors.Is(err, page.ErrInvalid) {
			t.Errorf("%v: %v", c, err)
		}
	}
	for range 7 {
		w.Do("add", "")
	}
	if err := w.Refused("add", ""); !errors.Is(err, page.ErrInvalid) {
		t.Error(err)
	}
}

// The page follows the package: with a hash that sends every key to one place, one node has all of them.
func TestWrongHashShows(t *testing.T) {
	constant := func(s string) uint64 {
		if len(s) > 5 && s[:5] == "user:" {
			return 42
		}
		return uint64(s[0]) << 56
	}
	w := pagetest.New(t, ring.Page{Hash: constant}, 7, "")
	if even := w.Number("max-over-mean"); even != 5 {
		t.Errorf("fullest over fair is %v with all keys on one of five nodes", even)
	}
}
