package estimate

import (
	"encoding/json"
	"errors"
	"flag"
	"math"
	"strings"
	"testing"
)

func TestFiguresByHand(t *testing.T) {
	// 100 M users, 10 reads: 1e9 / 86,400 = 11,574.07 a second; on the board 1e9 / 1e5 = 10,000.
	want := map[string][2]float64{
		"qps-read":  {1e9 / 86_400.0, 10_000},
		"qps-write": {3e8 / 86_400.0, 3_000},
		"qps-peak":  {3 * 1.3e9 / 86_400.0, 39_000},
		"rows":      {3e8 * 365 * 5, 6e11},
		"bytes":     {3e8 * 365 * 5 * 1000, 6e14},
	}
	figures := Defaults(1000).Figures()
	if len(figures) != len(want) {
		t.Fatalf("%d figures, want %d", len(figures), len(want))
	}
	for _, f := range figures {
		w := want[f.Name]
		if math.Abs(f.Exact-w[0]) > 1e-6*w[0] || math.Abs(f.Board-w[1]) > 1e-6*w[1] {
			t.Errorf("%s: exact %v, board %v; want %v", f.Name, f.Exact, f.Board, w)
		}
	}
}

func TestWhiteboardIsWithinAFifth(t *testing.T) {
	for _, f := range (Assumptions{DAU: 7e5, Reads: 31, Writes: 0.7, Bytes: 333, Years: 3}).Figures() {
		if r := f.Board / f.Exact; r < 0.8 || r > 1.2 {
			t.Errorf("%s: whiteboard is %.2f of the exact figure", f.Name, r)
		}
	}
}

func TestBadAssumptionIsNamed(t *testing.T) {
	for _, args := range [][]string{{"-dau", "0"}, {"-reads", "-1"}, {"-writes", "NaN"}, {"-bytes", "+Inf"}, {"-years", "0"}} {
		a := Defaults(1)
		fs := flag.NewFlagSet("t", flag.ContinueOnError)
		a.Flags(fs)
		if err := fs.Parse(args); err != nil {
			t.Fatal(err)
		}
		if err := a.Validate(); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), args[0]) {
			t.Errorf("%v: got %v", args, err)
		}
	}
	if err := Defaults(1).Validate(); err != nil {
		t.Error(err)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		x    float64
		unit string
		want string
	}{
		{0, "", "0"},
		{3.47, "/s", "3.5/s"},
		{11574.07, "/s", "11,574/s"},
		{999_999.4, "", "999,999"},
		{-1234, "", "-1,234"},
		{547.5e9, "", "547.5 G"},
		{560.64e12, "B", "560.6 TB"},
		{999.96e9, "B", "1 TB"},
		{64, "B", "64 B"},
	} {
		if got := Format(c.x, c.unit); got != c.want {
			t.Errorf("Format(%v, %q) = %q, want %q", c.x, c.unit, got, c.want)
		}
	}
}

func TestEveryFormatHoldsEveryFigure(t *testing.T) {
	a := Defaults(1000)
	for _, format := range []string{"text", "md", "json"} {
		var b strings.Builder
		if err := Write(&b, format, "x", a, a.Figures()); err != nil {
			t.Fatal(err)
		}
		for _, f := range a.Figures() {
			if !strings.Contains(b.String(), f.Name) {
				t.Errorf("%s lacks %s", format, f.Name)
			}
		}
		if format == "json" && !json.Valid([]byte(b.String())) {
			t.Errorf("not JSON: %s", b.String())
		}
	}
	if err := Write(&strings.Builder{}, "xml", "x", a, nil); err == nil {
		t.Error("an unknown format was accepted")
	}
}
