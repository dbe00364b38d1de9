package ids

import (
	"strconv"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/idgen"
)

const (
	shown = 12 * time.Second // of history
	bands = 12               // IDs as bands of bits

	left, cell, gap = 17, 5.72, 3.2 // of a band of 64 cells
)

// field is a run of bits with one meaning, from the highest down.
type field struct {
	class, name, value string
	bits               int
}

func fields(l idgen.Layout, id idgen.ID) []field {
	all := []field{{bits: 64 - int(l.TimeBits) - int(l.ShardBits) - int(l.WorkerBits) - int(l.SeqBits)}}
	all = append(all, field{"c0", "time · 41 bits", clock(l.Time(id)), int(l.TimeBits)})
	if l.ShardBits > 0 {
		all = append(all, field{"c3", "", strconv.FormatUint(uint64(l.Shard(id)), 10), int(l.ShardBits)})
	}
	all = append(all, field{"c1", "node", strconv.FormatUint(uint64(l.Worker(id)), 10), int(l.WorkerBits)})
	seq := ""
	if parts, err := l.Split(id); err == nil {
		seq = strconv.FormatUint(parts.Seq, 10)
	}
	return append(all, field{"c2", "sequence", seq, int(l.SeqBits)})
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

// each calls visit for every field with the place of its first cell and its width.
func each(fs []field, visit func(f field, x, width float64)) {
	x := float64(left)
	for _, f := range fs {
		width := float64(f.bits) * cell
		visit(f, x, width)
		x += width + gap
	}
}

// band draws an ID as 64 cells, dark for each one.
func band(s *page.SVG, id idgen.ID, fs []field, y, height float64) {
	bit := 63
	each(fs, func(f field, x, width float64) {
		s.Rect("", "soft "+f.class, x, y, width, height, 1.5)
		var ones page.Path
		for range f.bits {
			if id>>bit&1 == 1 {
				box(&ones, x+0.3, y, cell-0.6, height)
			}
			x += cell
			bit--
		}
		s.Path("", f.class, &ones)
	})
}

func box(p *page.Path, x, y, width, height float64) {
	p.Move(x, y)
	p.Line(x+width, y)
	p.Line(x+width, y+height)
	p.Line(x, y+height)
	p.Close()
}

// picture draws the IDs in full, the last of them as bands, and their times.
func (w *world) picture() *page.SVG {
	s := page.NewSVG(400, 470)
	if w.pinned && w.pasted != nil {
		w.one(s)
	} else {
		w.both(s)
	}
	s.Group("bands", "", func() {
		for i := range min(bands, len(w.rows)) {
			p := w.rows[len(w.rows)-1-i]
			y := 166 + float64(i)*9.2
			s.Circle("", nodeClass(p.node), 8, y+3.6, 3.4)
			band(s, p.id, fields(ours(), p.id), y, 7.2)
			if p.bad {
				s.Rect("", "bad", 391, y, 7, 7.2, 1.5)
			}
		}
	})
	w.times(s)
	return s
}

func nodeClass(i int) string { return []string{"c6", "c4"}[i] }

// both draws the newest ID of each node, one above the other, so that their bits can be compared.
func (w *world) both(s *page.SVG) {
	a, b := w.pair[0].id, w.pair[1].id
	if w.pair[1].id == 0 {
		b = a
	}
	each(fields(ours(), a), func(f field, x, width float64) {
		s.Text("", "note middle", x+width/2, 13, f.name)
	})
	for i, y := range []float64{58, 88} {
		id := []idgen.ID{a, b}[i]
		fs := fields(ours(), id)
		text, number := y-7, y-26
		if i == 1 {
			text, number = y+40, y+58
		}
		s.Text("", "label", 2, text, w.nodes[i].name)
		s.Circle("", nodeClass(i), 8, y+12, 4.5)
		s.Text("", "code middle", 200, number, id.String()+"   "+idgen.Base62.Encode(id))
		each(fs, func(f field, x, width float64) { s.Text("", "label middle", x+width/2, text, f.value) })
		band(s, id, fs, y, 24)
	}
	var differ page.Path
	bit := 63
	each(fields(ours(), a), func(f field, x, _ float64) {
		for range f.bits {
			if (a^b)>>bit&1 == 1 {
				box(&differ, x+1.3, 83.4, cell-2.6, 3.2)
			}
			x += cell
			bit--
		}
	})
	s.Path("differ", "ink", &differ)
}

// one draws an ID that was pasted.
func (w *world) one(s *page.SVG) {
	f := w.pasted
	fs := fields(f.layout, f.id)
	s.Text("", "note middle", 200, 13, "your ID, in "+f.whose)
	s.Text("", "label middle", 200, 34, f.id.String())
	band(s, f.id, fs, 46, 40)
	each(fs, func(f field, x, width float64) {
		s.Text("", "label middle", x+width/2, 103, f.value)
		s.Text("", "note middle", x+width/2, 119, f.name)
	})
	s.Text("", "code middle", 200, 141, idgen.Base62.Encode(f.id)+"  "+idgen.Base58.Encode(f.id)+"  "+idgen.Base32.Encode(f.id))
}

// times plots the time in the IDs over the time of day. A clock that is right is a diagonal.
func (w *world) times(s *page.SVG) {
	long := shown.Seconds()
	p := page.Plot{
		X: page.Scale{Low: -long, High: 0, From: 42, To: 372},
		Y: page.Scale{Low: -long, High: 0.4, From: 446, To: 308},
	}
	s.Text("", "note", 2, 297, "time in the ID, seconds")
	for _, t := range []float64{-12, -9, -6, -3, 0} {
		label := strconv.Itoa(int(t)) + " s"
		if t == 0 {
			label = "now"
		}
		s.Text("", "note middle", p.X.At(t), 463, label)
		s.Text("", "note end", 36, p.Y.At(t)+4, strings.TrimSuffix(label, " s"))
		s.Line("", "grid", p.X.From, p.Y.At(t), p.X.To, p.Y.At(t))
	}
	s.Line("", "base", p.X.From, p.Y.From, p.X.To, p.Y.From)
	p.Line(s, "clock-a", "clock s6", []float64{-long, 0}, []float64{-long, 0})
	var xs, ys []float64
	from, back := -long, 0.0
	for _, t := range append(append([]time.Time{}, w.stepped...), w.now) {
		until := max(t.Sub(w.now).Seconds(), -long)
		low := max(from-back, -long)
		xs, ys = append(xs, from, max(from, -long+back), until), append(ys, low, low, until-back)
		from, back = until, back+step.Seconds()
	}
	p.Line(s, "clock-b", "clock dashed s4", xs, ys)
	size := 4.6
	if w.rate > 2 { // the dots run together into lines
		size = 3.2
	}
	var refused page.Path
	for _, t := range w.points {
		x := p.X.At(t.at.Sub(w.now).Seconds())
		if t.refused {
			box(&refused, x-1.2, p.Y.From-9, 2.4, 9)
			continue
		}
		said := ours().Time(t.id).Sub(w.now).Seconds()
		if said < -long {
			continue
		}
		radius, class := size-0.35*size*float64(t.node), nodeClass(t.node)
		if t.bad {
			radius, class = size, "bad"
		}
		s.Circle("", class, x, p.Y.At(said), radius)
	}
	s.Path("refused", "bad", &refused)
	s.Text("", "label", 380, p.Y.At(0)+5, "A")
	if n := w.nodes[1]; n.back > 0 {
		s.Text("", "label", 380, p.Y.At(-n.back.Seconds())+5, "B")
	} else {
		s.Text("", "label", 390, p.Y.At(0)+5, "B")
	}
}
