package page

import "math"

// Scale maps values to a stretch of the picture.
type Scale struct {
	Low, High float64 // values
	From, To  float64 // where they lie
	Log       bool    // both values above 0
}

// At returns where a value lies; values outside lie at the end.
func (s Scale) At(v float64) float64 {
	low, high := s.Low, s.High
	if s.Log {
		v, low, high = math.Log(math.Max(v, low)), math.Log(low), math.Log(high)
	}
	if high == low {
		return s.From
	}
	part := math.Min(math.Max((v-low)/(high-low), 0), 1)
	return s.From + part*(s.To-s.From)
}

// Tick is a labelled value of an axis.
type Tick struct {
	At    float64
	Label string
}

// Plot is a frame with two scales: X from left to right, Y from bottom (From) to top (To).
type Plot struct{ X, Y Scale }

// Axes draws grid lines with their labels, and the names of the axes: y above the top left corner, x below the right end.
func (p Plot) Axes(s *SVG, x, y string, xs, ys []Tick) {
	s.Group("", "axis", func() {
		for _, t := range ys {
			at := p.Y.At(t.At)
			s.Line("", "grid", p.X.From, at, p.X.To, at)
			s.Text("", "note end", p.X.From-6, at+4, t.Label)
		}
		for _, t := range xs {
			s.Text("", "note middle", p.X.At(t.At), p.Y.From+16, t.Label)
		}
		s.Line("", "base", p.X.From, p.Y.From, p.X.To, p.Y.From)
		s.Text("", "note", p.X.From, p.Y.To-8, y)
		s.Text("", "note end", p.X.To, p.Y.From+31, x)
	})
}

// Line draws a curve through points of values.
func (p Plot) Line(s *SVG, id, class string, xs, ys []float64) {
	var path Path
	for i := range min(len(xs), len(ys)) {
		path.Line(p.X.At(xs[i]), p.Y.At(ys[i]))
	}
	s.Path(id, "line "+class, &path)
}

// Area fills what lies between a curve and the base.
func (p Plot) Area(s *SVG, id, class string, xs, ys []float64) {
	var path Path
	n := min(len(xs), len(ys))
	for i := range n {
		if i == 0 {
			path.Line(p.X.At(xs[0]), p.Y.From)
		}
		path.Line(p.X.At(xs[i]), p.Y.At(ys[i]))
	}
	if n > 0 {
		path.Line(p.X.At(xs[n-1]), p.Y.From)
		path.Close()
	}
	s.Path(id, class, &path)
}
