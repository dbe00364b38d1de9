package ids_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/ids"
	"github.com/sysblocks/sysblocks/idgen"
)

// bubble runs a test in 2026: the clock of a bubble begins before the epoch of the IDs.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
		test(t)
	})
}

func TestTenThousandIDsAreDifferentAndAscend(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := pagetest.New(t, ids.Page{}, 7, "rate=20")
		w.Do("issue", "")
		w.Run(time.Second)
		issued := w.Number("issued")
		if issued < 10_000 || issued > 10_050 {
			t.Errorf("%v issued", issued)
		}
		if w.Number("duplicates") != 0 || w.Number("out-of-order") != 0 || w.Number("equal") != issued {
			t.Errorf("%v duplicates, %v out of order, %v of %v decoded as they were", w.Number("duplicates"), w.Number("out-of-order"), w.Number("equal"), issued)
		}
	})
}

func TestBothNodesInOneMillisecond(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := pagetest.New(t, ids.Page{}, 7, "rate=0")
		w.Do("issue", "")
		w.Do("same", "")
		if w.Number("duplicates") != 0 || !strings.Contains(w.View().Says, "Both say 00:00:00.0") {
			t.Errorf("%v duplicates; %s", w.Number("duplicates"), w.View().Says)
		}
		w.Do("back", "")
		if err := w.Refused("same", ""); !errors.Is(err, page.ErrInvalid) {
			t.Error(err)
		}
	})
}

// What a node that restarts with its clock set back does is what the documentation of the package says for each generator.
func TestClockSetBack(t *testing.T) {
	for restart, want := range map[string]struct {
		documented error // while the clock is behind
		ascends    bool
		issues     float64 // in two seconds at 20 a second by two nodes
	}{
		"leased": {idgen.ErrClock, true, 40},
		"ahead":  {nil, true, 80},
		"fixed":  {nil, false, 80},
	} {
		bubble(t, func(t *testing.T) {
			w := pagetest.New(t, ids.Page{}, 7, "rate=20&restart="+restart)
			w.Run(5 * time.Second)
			w.Do("back", "")
			w.Run(100 * time.Millisecond)
			before := w.Number("issued")
			w.Run(2 * time.Second)
			if got := w.Number("issued") - before; got < want.issues-3 || got > want.issues+3 {
				t.Errorf("%s: %v issued in two seconds", restart, got)
			}
			if documented := w.Fact("error").Number; want.documented == nil && documented != "" || want.documented != nil && documented != want.documented.Error() {
				t.Errorf("%s: the error is %q", restart, documented)
			}
			w.Run(4 * time.Second)
			// Without a memory the same milliseconds come again, in the bubble with exactly the same IDs.
			if (w.Number("duplicates") == 0) != want.ascends || (w.Number("out-of-order") == 0) != want.ascends || w.Fact("error").Number != "" {
				t.Errorf("%s: %v duplicates, %v out of order, error %q", restart, w.Number("duplicates"), w.Number("out-of-order"), w.Fact("error").Text)
			}
			if at := w.Fact("time").Text; !strings.HasPrefix(at, "2026-01-01 00:00:08.") { // 11.3 s, and 3 s behind
				t.Errorf("the last ID, of B, says %s", at)
			}
			w.Do("back", "")
			w.Do("back", "")
			if err := w.Refused("back", ""); !errors.Is(err, page.ErrInvalid) {
				t.Error(err)
			}
		})
	}
}

func TestDecode(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := pagetest.New(t, ids.Page{}, 7, "")
		for _, c := range []struct{ action, text, at, node, sequence string }{
			{"decode", "21380884070400001", "2025-03-01 00:00:00.000", "0", "1"},
			{"decode", idgen.Base62.Encode(21380884070400001), "2025-03-01 00:00:00.000", "0", "1"},
			{"decode", strings.ToLower(idgen.Base32.Encode(21380884070400001)), "2025-03-01 00:00:00.000", "0", "1"},
			{"discord", "175928847299117063", "2016-04-30 11:18:25.796", "1, 0", "7"},
			{"twitter", "1212092628029698048", "2019-12-31 19:26:16.771", "327", "0"},
		} {
			w.Do(c.action, c.text)
			if w.Fact("time").Text != c.at || w.Fact("node").Text != c.node || w.Fact("sequence").Text != c.sequence {
				t.Errorf("%s %s: %s, node %s, sequence %s", c.action, c.text, w.Fact("time").Text, w.Fact("node").Text, w.Fact("sequence").Text)
			}
		}
		for _, text := range []string{"", "0", "-1", "x", "9223372036854775807", "99999999999999999999", "zzzzzzzzzzz"} {
			if err := w.Refused("decode", text); !errors.Is(err, page.ErrInvalid) {
				t.Errorf("%q: %v", text, err)
			}
		}
	})
}

func TestSeedDecidesTheNodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := pagetest.New(t, ids.Page{}, 7, "rate=0")
		if says := w.View().Says; says != "A is number 317, B is number 115; they do not talk to each other." {
			t.Error(says)
		}
		if w.Fact("node").Number != "115" {
			t.Errorf("the newest ID is of %s", w.Fact("node").Number)
		}
	})
}

// clumsy numbers from where it likes, again and again.
type clumsy struct{ next, every idgen.ID }

func (c *clumsy) Next(context.Context) (idgen.ID, error) {
	c.next = (c.next + 1) % c.every
	return c.next + 1, nil
}

func (c *clumsy) Fill(ctx context.Context, dst []idgen.ID) (int, error) {
	for i := range dst {
		dst[i], _ = c.Next(ctx)
	}
	return len(dst), nil
}

// The page follows the package: two counters that know nothing of each other, and that wrap, are seen to.
func TestWrongGeneratorShows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := ids.Page{Generator: func(uint32) (idgen.Generator, error) { return &clumsy{every: 4000}, nil }}
		w := pagetest.New(t, p, 7, "rate=0")
		w.Do("issue", "")
		if w.Number("duplicates") != 6002 || w.Number("out-of-order") != 2004 || w.Fact("duplicates").Tone != page.Bad {
			t.Errorf("%v duplicates, %v out of order", w.Number("duplicates"), w.Number("out-of-order"))
		}
	})
}
