package harness

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"text/tabwriter"
)

var head = []string{"Workload", "Ours", "Best peer", "Ratio", "Target", "Verdict"} //nolint:gochecknoglobals // never written: the titles of both tables

// cells are one row of the table as text.
func (res Result) cells() []string {
	peer, ratio := "–", "–"
	if res.Best != "" {
		peer = res.figure(res.Peer) + " " + res.Best
		ratio = strconv.FormatFloat(res.Ratio, 'f', decimals(res.Ratio), 64) + "×"
	}
	ours := res.figure(res.Ours)
	if !math.IsNaN(res.Allocs) {
		ours += fmt.Sprintf(", %.4g allocs", math.Round(res.Allocs*100)/100)
	}
	target := res.Row.Target.text(res.Row.HigherIsBetter)
	if !math.IsNaN(res.Allocs) && res.Row.MaxAllocs >= 0 {
		target += fmt.Sprintf(", ≤ %.4g allocs", res.Row.MaxAllocs)
	}
	return []string{res.Row.Workload, ours, peer, ratio, target, res.Verdict()}
}

// Verdict is "ok", "short", or "–" where nothing was asked for.
func (res Result) Verdict() string {
	switch {
	case !res.OK:
		return "short"
	case res.Row.Target.kind == report && (res.Row.MaxAllocs < 0 || math.IsNaN(res.Allocs)):
		return "–"
	default:
		return "ok"
	}
}

func (res Result) figure(v float64) string {
	unit := res.Row.Unit
	if unit != "" {
		return strconv.FormatFloat(v, 'f', decimals(v), 64) + " " + unit
	}
	for _, scale := range []struct {
		ns   float64
		name string
	}{{1e9, "s"}, {1e6, "ms"}, {1e3, "µs"}} {
		if v >= scale.ns {
			return strconv.FormatFloat(v/scale.ns, 'f', decimals(v/scale.ns), 64) + " " + scale.name
		}
	}
	return strconv.FormatFloat(v, 'f', decimals(v), 64) + " ns"
}

// decimals keeps three significant digits.
func decimals(v float64) int {
	switch v = math.Abs(v); {
	case v >= 100 || v == 0:
		return 0
	case v >= 10:
		return 1
	default:
		return 2
	}
}

// WriteText prints the table for a terminal.
func WriteText(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(head, "\t"))
	for _, res := range results {
		fmt.Fprintln(t, strings.Join(res.cells(), "\t"))
	}
	return t.Flush()
}

// WriteMarkdown prints the table for a README.
func WriteMarkdown(w io.Writer, results []Result) error {
	var b strings.Builder
	b.WriteString("| " + strings.Join(head, " | ") + " |\n|---|---|---|---|---|---|\n")
	for _, res := range results {
		cells := res.cells()
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
