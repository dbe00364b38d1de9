package home_test

import (
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/estimate"
	"github.com/sysblocks/sysblocks/examples/playground/page/pagetest"
	"github.com/sysblocks/sysblocks/examples/playground/pages/home"
)

func TestFactsEqualTheEstimate(t *testing.T) {
	w := pagetest.New(t, home.Page{}, 1, "users=10&reads=20&writes=2&bytes=1000")
	a := estimate.Assumptions{DAU: 10e6, Reads: 20, Writes: 2, Bytes: 1000, Years: 5}
	for _, f := range a.Figures() {
		if got := w.Number(f.Name); got != f.Exact {
			t.Errorf("%s is %v, want %v", f.Name, got, f.Exact)
		}
	}
}

func TestSevenLettersSuffice(t *testing.T) {
	for query, want := range map[string]float64{"": 7, "users=1&writes=1": 6, "users=1000&writes=50": 8} {
		if got := pagetest.New(t, home.Page{}, 1, query).Number("id-letters"); got != want {
			t.Errorf("%q: %v letters, want %v", query, got, want)
		}
	}
}

// The page follows the package: another formula is another fact.
func TestWrongFormulaShows(t *testing.T) {
	wrong := func(a estimate.Assumptions) []estimate.Figure {
		figures := a.Figures()
		figures[3].Exact = 1e6
		return figures
	}
	if got := pagetest.New(t, home.Page{Figures: wrong}, 1, "").Number("id-letters"); got != 4 {
		t.Errorf("a million rows need %v letters", got)
	}
}
