package estimate

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Write prints the assumptions and the figures as text, as a Markdown table (md) or as one JSON object (json).
func Write(w io.Writer, format, name string, a Assumptions, figures []Figure) error {
	var out string
	switch format {
	case "json":
		b, err := asJSON(name, a, figures)
		if err != nil {
			return err
		}
		out = string(b) + "\n"
	case "md":
		out = asMarkdown(a, figures)
	case "text":
		out = asText(name, a, figures)
	default:
		return fmt.Errorf("estimate: unknown format %q", format)
	}
	_, err := io.WriteString(w, out)
	return err
}

func asText(name string, a Assumptions, figures []Figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: the arithmetic behind the design\n\nassumptions\n", name)
	for _, f := range a.fields() {
		fmt.Fprintf(&b, "  -%-7s %-14s %s\n", f.flag, Format(f.value, ""), f.what)
	}
	fmt.Fprintf(&b, "\n%-14s %14s %14s  %s\n", "figure", "exact", "whiteboard", "formula")
	for _, f := range figures {
		fmt.Fprintf(&b, "%-14s %14s %14s  %s\n", f.Name, Format(f.Exact, f.Unit), Format(f.Board, f.Unit), f.How)
	}
	b.WriteString("\non the whiteboard a day has 100,000 s, a year 400 days; the peak is 3 times the average\n")
	return b.String()
}

func asMarkdown(a Assumptions, figures []Figure) string {
	var b strings.Builder
	b.WriteString("| Assumption | Value | Flag |\n|---|---:|---|\n")
	for _, f := range a.fields() {
		fmt.Fprintf(&b, "| %s | %s | `-%s` |\n", f.what, Format(f.value, ""), f.flag)
	}
	b.WriteString("\n| Figure | Formula | Exact | Whiteboard |\n|---|---|---:|---:|\n")
	for _, f := range figures {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Name, f.How, Format(f.Exact, f.Unit), Format(f.Board, f.Unit))
	}
	return b.String()
}

func asJSON(name string, a Assumptions, figures []Figure) ([]byte, error) {
	type pair struct {
		Exact float64 `json:"exact"`
		Board float64 `json:"whiteboard"`
	}
	out := struct {
		Example     string             `json:"example"`
		Assumptions map[string]float64 `json:"assumptions"`
		Figures     map[string]pair    `json:"figures"`
	}{name, map[string]float64{}, map[string]pair{}}
	for _, f := range a.fields() {
		out.Assumptions[f.flag] = f.value
	}
	for _, f := range figures {
		out.Figures[f.Name] = pair{f.Exact, f.Board}
	}
	return json.Marshal(out)
}

// Format writes a number for people: 11,574/s, 547.5 G, 560.6 TB. Prefixes are powers of 1000.
func Format(x float64, unit string) string {
	if math.Abs(x) < 1e6 && unit != "B" {
		return thousands(x) + unit
	}
	const prefixes = " kMGTPEZY"
	i := 0
	for math.Abs(x) >= 999.95 && i < len(prefixes)-1 {
		x /= 1000
		i++
	}
	suffix := strings.TrimSpace(prefixes[i:i+1]) + unit
	number := strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
	return strings.TrimSpace(number + " " + suffix)
}

// thousands puts commas into the integer part; under 100 one decimal is kept.
func thousands(x float64) string {
	if math.Abs(x) < 100 {
		return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
	}
	digits := strconv.FormatFloat(math.Round(math.Abs(x)), 'f', 0, 64)
	var b strings.Builder
	if x < 0 {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}
