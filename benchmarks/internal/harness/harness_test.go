package harness

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"
)

// value is a contender with a fixed figure.
func value(name string, v float64) Contender {
	return Contender{Name: name, Value: func() (float64, error) { return v, nil }}
}

func TestVerdictFollowsTarget(t *testing.T) {
	peers := []Contender{value("slow", 40), value("fast", 20)}
	for _, c := range []struct {
		name    string
		row     Row
		ratio   float64
		verdict string
	}{
		{"twice as fast is enough", Row{Ours: value("", 10), Peers: peers, Target: AtLeast(2)}, 2, "ok"},
		{"the best peer counts, not the worst", Row{Ours: value("", 10), Peers: peers, Target: AtLeast(3)}, 2, "short"},
		{"cost within its allowance", Row{Ours: value("", 30), Peers: peers, Target: AtMost(1.5)}, 1.5, "ok"},
		{"cost above its allowance", Row{Ours: value("", 31), Peers: peers, Target: AtMost(1.5)}, 1.55, "short"},
		{"higher is better", Row{Ours: value("", 44), Peers: peers, Target: AtLeast(1.1), HigherIsBetter: true}, 1.1, "ok"},
		{"higher is better, and is not", Row{Ours: value("", 42), Peers: peers, Target: AtLeast(1.1), HigherIsBetter: true}, 1.05, "short"},
		{"limit", Row{Ours: value("", 28), Target: Limit(28)}, math.NaN(), "ok"},
		{"over the limit", Row{Ours: value("", 28.1), Target: Limit(28)}, math.NaN(), "short"},
		{"a floor", Row{Ours: value("", 0.9), Target: Limit(0.95), HigherIsBetter: true}, math.NaN(), "short"},
		{"a report has no verdict", Row{Ours: value("", 99), Peers: peers, Target: Report()}, 0.202, "–"},
	} {
		t.Run(c.name, func(t *testing.T) {
			res, err := Run(c.row, Budget{})
			if err != nil {
				t.Fatal(err)
			}
			if math.IsNaN(c.ratio) != math.IsNaN(res.Ratio) || math.Abs(res.Ratio-c.ratio) > 0.001 {
				t.Errorf("ratio %v, want %v", res.Ratio, c.ratio)
			}
			if res.Verdict() != c.verdict {
				t.Errorf("verdict %q, want %q", res.Verdict(), c.verdict)
			}
		})
	}
}

// sink keeps the allocation of the test alive.
var sink []byte

func TestTimedRowSeesFactorAndAllocations(t *testing.T) {
	work := func(units int, alloc bool) func() (Op, func(), error) {
		return func() (Op, func(), error) {
			x := uint64(1)
			return func(n int) {
				for range n {
					if alloc {
						sink = make([]byte, 64)
					}
					for range units {
						x ^= x << 13
						x ^= x >> 7
						x ^= x << 17
					}
				}
				if x == 0 {
					panic("xorshift reached zero")
				}
			}, nil, nil
		}
	}
	budget := Budget{Batch: 2 * time.Millisecond, Rounds: 9}
	row := Row{
		Workload: "xorshift", Target: AtLeast(3),
		Ours:  Contender{Name: "ours", Setup: work(100, false)},
		Peers: []Contender{{Name: "ten times the work", Setup: work(1000, false)}},
	}
	res, err := Run(row, budget)
	if err != nil {
		t.Fatal(err)
	}
	if res.Ratio < 3 || res.Ratio > 30 || !res.OK || res.Allocs > 0.01 {
		t.Errorf("ratio %.2f, allocs %.2f, ok %v: want about 10, 0, true", res.Ratio, res.Allocs, res.OK)
	}
	row.Ours.Setup = work(100, true)
	if res, err = Run(row, budget); err != nil || res.OK || res.Allocs < 0.9 {
		t.Errorf("an allocation went unseen: %+v %v", res, err)
	}
	row.MaxAllocs = 1
	if res, err = Run(row, budget); err != nil || !res.OK {
		t.Errorf("an allowed allocation was refused: %+v %v", res, err)
	}
}

func TestRowsWithoutVerdictAreRefused(t *testing.T) {
	timed := Contender{Name: "timed", Setup: func() (Op, func(), error) { return func(int) {}, nil, nil }}
	for name, row := range map[string]Row{
		"no measurement":      {Ours: Contender{}},
		"two measurements":    {Ours: Contender{Setup: timed.Setup, Value: value("", 1).Value}},
		"mixed":               {Ours: timed, Peers: []Contender{value("", 1)}, Target: AtLeast(1)},
		"ratio without peers": {Ours: value("", 1), Target: AtLeast(1)},
		"no number":           {Ours: value("", 1), Target: Limit(math.NaN())},
	} {
		if _, err := Run(row, Budget{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	broken := Row{Workload: "w", Ours: Contender{Name: "ours", Value: func() (float64, error) { return 0, errors.New("boom") }}}
	if _, err := Run(broken, Budget{}); err == nil || !strings.Contains(err.Error(), `"w": ours: boom`) {
		t.Errorf("error of a contender: %v", err)
	}
}

func TestTables(t *testing.T) {
	res, err := Run(Row{Workload: "a|b", Unit: "B/key", Ours: value("", 12.34), Peers: []Contender{value("peer", 24.68)}, Target: AtLeast(2)}, Budget{})
	if err != nil {
		t.Fatal(err)
	}
	var md, text strings.Builder
	if err := errors.Join(WriteMarkdown(&md, []Result{res}), WriteText(&text, []Result{res})); err != nil {
		t.Fatal(err)
	}
	if want := `| a\|b | 12.3 B/key | 24.7 B/key peer | 2.00× | ≥ 2× | ok |`; !strings.Contains(md.String(), want) {
		t.Errorf("markdown:\n%s\nwant the line %s", md.String(), want)
	}
	if !strings.Contains(text.String(), "12.3 B/key") || strings.Count(text.String(), "\n") != 2 {
		t.Errorf("text:\n%s", text.String())
	}
}
