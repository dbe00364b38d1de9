// Package home is the entrance: the arithmetic behind a design, and the way to the other pages.
package home

import (
	"context"
	"math"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/internal/estimate"
	"github.com/sysblocks/sysblocks/examples/playground/page"
)

// Page is the page; the zero value shows the package as it is.
type Page struct {
	Figures func(a estimate.Assumptions) []estimate.Figure // nil for the package's own; a test puts a wrong one here
}

// Info implements page.Page.
func (Page) Info() page.Info {
	return page.Info{
		Path:    "home",
		Title:   "Home",
		Heading: "See each block work",
		Lead: "Every picture and every number here was computed by the Go packages of sysblocks, just now, on this machine. Begin with " +
			"the arithmetic that a design begins with.",
		Question: "A hundred million people shorten three links a day, for five years. How many letters must a short code have?",
		Guesses:  [3]string{"5 letters", "7 letters", "11 letters"},
		Right:    1,
		Answer: "7. There are 62 letters and digits; five years bring about 5.5 × 10¹¹ links, and 62⁶ is 5.7 × 10¹⁰: too few. 62⁷ is " +
			"3.5 × 10¹²: enough for thirty years.",
		Caption: "Two rulers of powers of ten. Above, requests a second on average and at the peak, three times as many; below, the " +
			"rows that have come together at the end, between the numbers of codes that n letters can write.",
		Settings: []page.Setting{
			{Name: "users", Label: "Users a day", Unit: "million", Default: "100", Choices: page.Numbers(1, 10, 100, 1000)},
			{Name: "reads", Label: "Reads per user and day", Min: 1, Max: 100, Default: "10"},
			{Name: "writes", Label: "Writes per user and day", Min: 1, Max: 50, Default: "3"},
			{Name: "bytes", Label: "Size of a row", Unit: "bytes", Min: 100, Max: 4000, Step: 100, Default: "500"},
		},
		Facts: []page.Fact{
			{Name: "qps-read", Label: "Reads a second"},
			{Name: "qps-write", Label: "Writes a second"},
			{Name: "qps-peak", Label: "At the peak", Help: "three times the average of both", Lead: true},
			{Name: "rows", Label: "Rows in five years"},
			{Name: "bytes", Label: "Bytes in five years"},
			{Name: "id-letters", Label: "Letters of a code", Help: "log₆₂ of the rows, rounded up", Lead: true},
		},
		Try: [3]string{
			"Move the users from 100 million to 1000 million: the codes grow by no letter. Logarithms forgive.",
			"Make the reads 100 and the writes 1. Which figure decides how many machines you need, and which how many disks?",
			"Do it in your head: a day has about 100,000 seconds, a year about 400 days. How far off is the whiteboard?",
		},
		Code:    page.Code{File: "examples/internal/estimate/estimate.go", Symbol: "Assumptions.Figures"},
		Package: "examples/internal/estimate",
	}
}

type world struct{ figures []estimate.Figure }

// New implements page.Page. Nothing here is random, so the seed decides nothing.
func (p Page) New(_ uint64, s page.Settings) (page.World, error) {
	a := estimate.Defaults(float64(s.Int("bytes")))
	a.DAU, a.Reads, a.Writes = 1e6*float64(s.Int("users")), float64(s.Int("reads")), float64(s.Int("writes"))
	if err := a.Validate(); err != nil {
		return nil, err
	}
	if p.Figures != nil {
		return &world{figures: p.Figures(a)}, nil
	}
	return &world{figures: a.Figures()}, nil
}

// Do implements page.World; the page has no actions.
func (*world) Do(_ context.Context, action, _ string) error {
	return page.Invalid("no action %q", action)
}

func (w *world) exact(name string) float64 {
	for _, f := range w.figures {
		if f.Name == name {
			return f.Exact
		}
	}
	return 0
}

func (w *world) letters() int { return int(math.Ceil(math.Log2(w.exact("rows")) / math.Log2(62))) }

// View implements page.World.
func (w *world) View() page.View {
	v := page.View{Facts: map[string]page.Value{"id-letters": page.Count(w.letters())}}
	for _, f := range w.figures {
		v.Facts[f.Name] = page.Value{Text: estimate.Format(f.Exact, f.Unit), Number: strconv.FormatFloat(f.Exact, 'f', -1, 64)}
	}
	v.Says = v.Facts["qps-peak"].Text + " at the peak; " + v.Facts["rows"].Text + " rows, which need codes of " + v.Facts["id-letters"].Text + " letters."
	v.Picture = w.picture(v.Facts)
	return v
}

func (w *world) picture(facts map[string]page.Value) *page.SVG {
	s := page.NewSVG(400, 330)
	rates := page.Scale{Low: 1, High: 1e7, From: 24, To: 376, Log: true}
	s.Text("", "label", 24, 24, "requests a second")
	ruler(s, rates, 150, 7)
	lane := 48.0
	for i, name := range []string{"qps-write", "qps-read", "qps-peak"} {
		x := rates.At(w.exact(name))
		class := "c" + strconv.Itoa([]int{2, 0, 1}[i])
		s.Rect("bar-"+name, "glide "+class, rates.From, lane, x-rates.From, 22, 4)
		label := []string{"writes ", "reads ", "peak "}[i] + facts[name].Text
		if x > 250 {
			s.Text("text-"+name, "label end inverse", x-8, lane+15.5, label)
		} else {
			s.Text("text-"+name, "label", x+8, lane+15.5, label)
		}
		lane += 32
	}

	rows := page.Scale{Low: 1e8, High: 1e15, From: 24, To: 376, Log: true}
	s.Text("", "label", 24, 206, "rows, and what n letters can write")
	s.Rect("", "faint", rows.From, 222, rows.To-rows.From, 46, 6)
	for n := 5; n <= 8; n++ {
		codes := math.Pow(62, float64(n))
		x, until := rates.From, rows.At(codes)
		if n > 5 {
			x = rows.At(codes / 62)
		}
		class := "soft"
		if n == w.letters() {
			class = "soft c4"
		}
		s.Rect("letters-"+strconv.Itoa(n), class, x+1, 223, until-x-2, 44, 4)
		label := strconv.Itoa(n)
		if n == w.letters() {
			label += " letters"
		}
		s.Text("", "note middle", (x+until)/2, 241, label)
	}
	at := rows.At(w.exact("rows"))
	s.Line("rows-mark", "mark glide", at, 254, at, 280)
	s.Circle("rows-dot", "ink glide", at, 254, 5)
	ruler(s, rows, 280, 7)
	s.Text("rows-text", "label middle", math.Min(math.Max(at, 70), 330), 322, facts["rows"].Text+" rows")
	return s
}

// ruler draws a base line with a tick at every power of ten.
func ruler(s *page.SVG, scale page.Scale, y float64, powers int) {
	s.Line("", "base", scale.From, y, scale.To, y)
	low := int(math.Round(math.Log10(scale.Low)))
	for i := range powers + 1 {
		x := scale.At(math.Pow(10, float64(low+i)))
		s.Line("", "base", x, y, x, y+4)
		s.Text("", "note middle", x, y+18, "10"+superscript(low+i))
	}
}

func superscript(n int) string {
	digits := []rune("⁰¹²³⁴⁵⁶⁷⁸⁹")
	text := []rune(strconv.Itoa(n))
	for i, d := range text {
		text[i] = digits[d-'0']
	}
	return string(text)
}
