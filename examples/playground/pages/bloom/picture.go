package bloom

import (
	"fmt"
	"math"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

const (
	edge, width      = 8, 384
	glassTop, glass  = 30, 6 // the magnified block, and the size of a bit in it
	gridTop, gridMax = 100, 308
	blockBits        = 512
	rowBits          = 64
)

func (w *world) picture() *page.SVG {
	s := page.NewSVG(400, 514)
	w.grid(s)
	w.magnified(s)
	w.rates(s)
	return s
}

// tiles lays the blocks out: as few columns as fit the height.
type tiles struct {
	columns     int
	cell, pitch float64 // of a bit, and of a row of tiles
	wide        float64 // a tile and the gap after it
}

func layOut(blocks int) tiles {
	const gap, apart = 6, 3 // between columns and, at the least, between rows
	for columns := 1; ; columns++ {
		wide := (width + gap) / float64(columns)
		cell := math.Floor(10*(wide-gap)/rowBits) / 10
		rows := float64((blocks + columns - 1) / columns)
		if pitch := 8*cell + apart; rows*pitch <= gridMax || columns == 6 {
			return tiles{columns: columns, cell: cell, pitch: math.Min(gridMax/rows, pitch+8), wide: wide}
		}
	}
}

// at returns the corner of a block's tile.
func (t tiles) at(block int) (x, y float64) {
	return edge + float64(block%t.columns)*t.wide, gridTop + float64(block/t.columns)*t.pitch
}

// grid draws every bit of the filter. Bits side by side are one box.
func (w *world) grid(s *page.SVG) {
	blocks := len(w.now) * 8 / blockBits
	t := layOut(blocks)
	wide, high := rowBits*t.cell, 8*t.cell
	var empty, old, fresh page.Path
	for b := range blocks {
		x, y := t.at(b)
		empty.Box(x, y, wide, high)
		for row := range blockBits / rowBits {
			from := b*blockBits + row*rowBits
			w.runs(from, &old, &fresh, x, y+float64(row)*t.cell, t.cell)
		}
	}
	s.Path("empty", "faint", &empty)
	s.Path("old", "c0", &old)
	s.Path("fresh", "c1", &fresh)
	x, y := t.at(w.block())
	s.Rect("where", "frame glide", x-1.5, y-1.5, wide+3, high+3, 1)
}

// runs draws one row of bits, what is new apart from what was there.
func (w *world) runs(from int, old, fresh *page.Path, x, y, cell float64) {
	for i := 0; i < rowBits; {
		begin := i
		is, was := set(w.now, from+i), set(w.before, from+i)
		for i < rowBits && set(w.now, from+i) == is && set(w.before, from+i) == was {
			i++
		}
		if is {
			path := old
			if !was {
				path = fresh
			}
			path.Box(x+float64(begin)*cell, y, float64(i-begin)*cell, cell)
		}
	}
}

// magnified draws the block of the word, and a frame round each of its bits.
func (w *world) magnified(s *page.SVG) {
	from := w.block() * blockBits
	s.Text("word", "label", edge, 18, fmt.Sprintf("“%s”", shorten(w.word)))
	s.Text("place", "note end", edge+width, 18, fmt.Sprintf("block %d of %d", w.block()+1, w.f.Layout().Blocks))
	s.Rect("glass", "faint", edge, glassTop, width, 8*glass, 0)
	s.Rect("", "frame", edge-1.5, glassTop-1.5, width+3, 8*glass+3, 1) // as the tile's
	var old, fresh page.Path
	for row := range blockBits / rowBits {
		w.runs(from+row*rowBits, &old, &fresh, edge, glassTop+float64(row)*glass, glass)
	}
	s.Path("glass-old", "c0", &old)
	s.Path("glass-fresh", "c1", &fresh)
	for i, bit := range w.marks {
		class := "frame glide"
		if !set(w.now, bit) {
			class += " missing"
		}
		x := edge + float64(bit%rowBits)*glass
		y := glassTop + float64(bit%blockBits/rowBits)*glass
		s.Rect("mark-"+strconv.Itoa(i), class, x-1.5, y-1.5, glass+3, glass+3, 2)
	}
}

func shorten(word string) string {
	if letters := []rune(word); len(letters) > 22 {
		return string(letters[:21]) + "…"
	}
	return word
}

// rates draws the share of strangers that are called present over the number of words, both as the formula has it and as measured.
func (w *world) rates(s *page.SVG) {
	l := w.f.Layout()
	until := 3 * float64(l.Capacity)
	p := page.Plot{
		X: page.Scale{Low: 0, High: until, From: 58, To: edge + width},
		Y: page.Scale{Low: 1e-5, High: 1, From: 492, To: 434, Log: true},
	}
	var xs []page.Tick
	for i := range 2 {
		n := (i + 1) * int(l.Capacity) //nolint:gosec // a few thousand
		xs = append(xs, page.Tick{At: float64(n), Label: page.Count(n).Text})
	}
	s.Text("", "note end", p.X.To, p.Y.From+16, "words")
	p.Axes(s, "", "strangers called present", xs, []page.Tick{{At: 1e-4, Label: "0.01 %"}, {At: 1e-2, Label: "1 %"}, {At: 1, Label: "100 %"}})
	var words, rates []float64
	for i := range 61 {
		n := until * float64(i) / 60
		words, rates = append(words, n), append(rates, l.RateAt(n))
	}
	at := p.X.At(float64(l.Capacity))
	s.Line("full", "base dashed", at, p.Y.From, at, p.Y.To)
	p.Line(s, "formula", "s7", words, rates)
	for i, point := range w.past[:len(w.past)-1] {
		s.Circle("past-"+strconv.Itoa(i), "c1 key", p.X.At(point.words), p.Y.At(point.rate), 3)
	}
	last := w.past[len(w.past)-1]
	x := p.X.At(last.words)
	s.Line("doubt", "mark", x, p.Y.At(w.low), x, p.Y.At(w.high))
	s.Circle("last", "c1 glide moved", x, p.Y.At(last.rate), 5)
}
