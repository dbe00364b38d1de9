package cache

import (
	"math"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

const (
	livesTop, livesBottom = 234, 376
	lanesTop, lane        = 388, 17
	newsShown             = 200 // keys
)

// heights say where a key is drawn, and what is at the top and at the bottom.
func (w *world) heights() (height func(key int) float64, top, bottom string) {
	y := page.Scale{From: livesBottom, To: livesTop}
	switch w.m.kind {
	case "loop":
		y.High = loopKeys
		return func(key int) float64 { return y.At(float64(key)) }, "loop ends", "loop begins"
	case "news":
		y.High = float64(w.at / newsEvery)
		y.Low = y.High - newsShown
		return func(key int) float64 { return y.At(float64(key)) }, "newest", "older"
	}
	// The square root gives the few popular keys more room than the many others.
	y.High = math.Sqrt(2 * scanRows)
	top = "rare"
	if w.m.kind == "scan" {
		top = "scanned"
	}
	return func(key int) float64 { return y.At(math.Sqrt(float64(key))) }, top, "popular"
}

// lives draw what the watched policy keeps: a line per entry from the miss that brought it in until it left.
func (w *world) lives(s *page.SVG) {
	from := w.at - window
	x := page.Scale{Low: float64(from), High: float64(w.at), From: left, To: right}
	height, top, bottom := w.heights()
	s.Rect("", "faint", left, livesTop-3, right-left, livesBottom-livesTop+6, 0)
	r := w.m.runs[w.size][w.watch]
	var kept page.Path
	for i, until := range r[:w.at] {
		if int(until) > from {
			at := height(w.m.keys[i])
			kept.Move(x.At(float64(i)), at)
			kept.Line(x.At(float64(until)), at)
		}
	}
	colour := contenders()[w.watch].colour
	s.Path("kept", "s"+colour+" kept", &kept)
	s.Group("", "", func() {
		for i := from; i < w.at; i++ {
			class := fill(w.watch)
			if r[i] > 0 {
				class = "s" + colour + " ring"
			}
			s.Circle("", class, x.At(float64(i)+0.5), height(w.m.keys[i]), 2)
		}
	})
	who := contenders()[w.watch].label
	if w.watch == 0 {
		who = "the optimum"
	}
	s.Text("lives", "note", left, livesTop-12, "200 requests, and what "+who+" keeps")
	s.Text("", "note", right+8, livesTop+8, top)
	s.Text("", "note", right+8, livesBottom+2, bottom)
}

// lanes show for each policy which of the requests above were hits.
func (w *world) lanes(s *page.SVG) {
	x := page.Scale{Low: 0, High: window, From: left, To: right}
	for c, what := range contenders() {
		y := float64(lanesTop + lane*c)
		s.Rect("", "faint", left, y, right-left, lane-4, 0)
		r := w.m.runs[w.size][c][w.at-window : w.at]
		var hits page.Path
		for i := 0; i < window; i++ {
			begin := i
			for i < window && r[i] == 0 {
				i++
			}
			if i > begin {
				hits.Box(x.At(float64(begin)), y, x.At(float64(i))-x.At(float64(begin)), lane-4)
			}
		}
		s.Path("lane-"+what.name, fill(c), &hits)
		s.Text("share-"+what.name, "note end", left-6, y+10.5, strconv.Itoa(w.hits(c)*100/window)+" %")
		s.Text("", weight(c == w.watch), right+8, y+10.5, what.label)
	}
}
