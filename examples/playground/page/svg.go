package page

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// SVG is a picture being drawn. Its unit is a CSS pixel on the narrowest screen, where it is Width wide: text of 12 units and
// more is legible everywhere. Look is by class only (app.css), since the content security policy forbids inline styles: c0 … c7
// are the categorical colours (fill), s0 … s7 the same for lines; soft, faint, good, bad, note, label, big, axis and so on are
// described in app.css.
//
// An element with an id keeps its identity from one picture to the next, so that its changes are animated if it has the class
// "glide". Ids must be unique in the picture; an empty id means none.
type SVG struct {
	Width, Height float64
	b             strings.Builder
}

// NewSVG begins a picture. Width is at most 400, which is what the narrowest screen shows without loss.
func NewSVG(width, height float64) *SVG { return &SVG{Width: width, Height: height} }

// Group draws what inside draws as one element.
func (s *SVG) Group(id, class string, inside func()) {
	s.open("g", id, class)
	s.b.WriteString(">")
	inside()
	s.b.WriteString("</g>")
}

// Circle draws a circle.
func (s *SVG) Circle(id, class string, x, y, r float64) {
	s.open("circle", id, class)
	s.attrs("cx", x, "cy", y, "r", r)
	s.b.WriteString("/>")
}

// Rect draws a rectangle, with corners rounded by radius.
func (s *SVG) Rect(id, class string, x, y, w, h, radius float64) {
	s.open("rect", id, class)
	s.attrs("x", x, "y", y, "width", math.Max(w, 0), "height", math.Max(h, 0), "rx", radius)
	s.b.WriteString("/>")
}

// Line draws a line.
func (s *SVG) Line(id, class string, x1, y1, x2, y2 float64) {
	s.open("line", id, class)
	s.attrs("x1", x1, "y1", y1, "x2", x2, "y2", y2)
	s.b.WriteString("/>")
}

// Path draws what p describes; an empty path is drawn too, so that its id stays.
func (s *SVG) Path(id, class string, p *Path) {
	s.open("path", id, class)
	s.b.WriteString(` d="` + p.b.String() + `"/>`)
}

// Text writes text at a point. The class decides size and anchor: start by default, "middle" or "end".
func (s *SVG) Text(id, class string, x, y float64, text string) {
	s.open("text", id, class)
	s.attrs("x", x, "y", y)
	s.b.WriteString(">" + html.EscapeString(text) + "</text>")
}

// Title is Text's companion for a shape: a tooltip, for what colour and place alone do not say. It draws inside a Group.
func (s *SVG) Title(text string) {
	s.b.WriteString("<title>" + html.EscapeString(text) + "</title>")
}

// String returns the elements, without the outer svg element.
func (s *SVG) String() string { return s.b.String() }

// ViewBox returns the value of that attribute.
func (s *SVG) ViewBox() string { return "0 0 " + short(s.Width) + " " + short(s.Height) }

func (s *SVG) open(tag, id, class string) {
	s.b.WriteString("<" + tag)
	if id != "" {
		s.b.WriteString(` id="` + html.EscapeString(id) + `"`)
	}
	if class != "" {
		s.b.WriteString(` class="` + html.EscapeString(class) + `"`)
	}
}

func (s *SVG) attrs(pairs ...any) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if x, ok := pairs[i+1].(float64); ok {
			fmt.Fprintf(&s.b, ` %s="%s"`, pairs[i], short(x))
		}
	}
}

// Path is a line of moves, for SVG.Path.
type Path struct{ b strings.Builder }

// Move begins a new line.
func (p *Path) Move(x, y float64) { p.add("M", x, y) }

// Line goes on to a point; the first point of a path begins it.
func (p *Path) Line(x, y float64) {
	if p.b.Len() == 0 {
		p.Move(x, y)
		return
	}
	p.add("L", x, y)
}

// Box adds a rectangle.
func (p *Path) Box(x, y, w, h float64) {
	p.Move(x, y)
	p.b.WriteString("h" + short(w) + "v" + short(h) + "h" + short(-w) + "Z")
}

// Close returns to where the line began.
func (p *Path) Close() { p.b.WriteString("Z") }

// Sector adds a piece of a ring round (x, y) from radius in to out. Turns count from the top, clockwise: 0.25 is to the right.
func (p *Path) Sector(x, y, in, out, from, to float64) {
	if to-from > 0.5 { // an arc of SVG that comes back to its beginning vanishes
		half := (from + to) / 2
		p.Sector(x, y, in, out, from, half)
		p.Sector(x, y, in, out, half, to)
		return
	}
	ax, ay := Polar(x, y, out, from)
	bx, by := Polar(x, y, out, to)
	cx, cy := Polar(x, y, in, to)
	dx, dy := Polar(x, y, in, from)
	p.Move(ax, ay)
	p.arc(out, 1, bx, by)
	p.Line(cx, cy)
	p.arc(in, 0, dx, dy)
	p.Close()
}

func (p *Path) arc(r float64, sweep int, x, y float64) {
	fmt.Fprintf(&p.b, "A%s %s 0 0 %d %s %s", short(r), short(r), sweep, short(x), short(y))
}

func (p *Path) add(verb string, x, y float64) { p.b.WriteString(verb + short(x) + " " + short(y)) }

// Polar returns the point at a distance r from (x, y), turn times round from the top, clockwise.
func Polar(x, y, r, turn float64) (px, py float64) {
	sin, cos := math.Sincos(2 * math.Pi * turn)
	return x + r*sin, y - r*cos
}

// short writes a length with at most two decimals.
func short(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "0"
	}
	text := strconv.FormatFloat(x, 'f', 2, 64)
	text = strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
	if text == "-0" {
		return "0"
	}
	return text
}
