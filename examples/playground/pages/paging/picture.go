package paging

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

const (
	tapeFrom, tapeTo = 4.0, 396.0
	tapeHeight       = 22.0
	linesShown       = 13
	lineHeight       = 21.0
)

// picture draws the table as each reader has seen it, and below the pages that it got.
func (w *world) picture() *page.SVG {
	s := page.NewSVG(400, 470)
	w.tape(s, w.offset, 0, "By offset")
	w.tape(s, w.key, 62, "By key")
	last := int64(0)
	if cells := w.lastCells(w.key); len(cells) > 0 {
		last = cells[len(cells)-1].id
	}
	s.Text("", "code", 2, 144, fmt.Sprintf("LIMIT %d OFFSET %d", size, w.offset.pages*size))
	s.Text("", "code", 206, 144, fmt.Sprintf("WHERE id < %d LIMIT %d", last, size))
	w.list(s, w.offset, 2)
	w.list(s, w.key, 206)
	w.token(s)
	return s
}

func (*world) lastCells(r *reader) []cell {
	if len(r.lines) == 0 {
		return nil
	}
	return r.lines[len(r.lines)-1].cells
}

// tape draws the whole table, newest row left, in runs of rows of one state.
func (w *world) tape(s *page.SVG, r *reader, y float64, name string) {
	ids := w.table.ids
	width := (tapeTo - tapeFrom) / float64(max(len(ids), start))
	s.Text("", "label", 2, y+14, name)
	s.Text("", "note end", tapeTo, y+14, "the store read "+strconv.Itoa(r.read)+" rows for "+strconv.Itoa(len(w.lastCells(r))))
	runs := map[string]*page.Path{"soft": {}, "soft c2": {}, "c0": {}, "c4": {}, "bad": {}}
	from := 0
	for i := range ids {
		id := ids[len(ids)-1-i]
		if state := r.state(w, id); i == len(ids)-1 || r.state(w, ids[len(ids)-2-i]) != state {
			x := tapeFrom + float64(from)*width
			rect(runs[state], x, y+20, float64(i+1-from)*width, tapeHeight)
			from = i + 1
		}
	}
	for _, state := range []string{"soft", "soft c2", "c0", "c4", "bad"} {
		s.Path("", state, runs[state])
	}
	// What the last page cost: by offset all from the top, by key from where the reader was.
	at := 0
	if cells := w.lastCells(r); r.byKey && len(cells) > 0 {
		for at < len(ids) && ids[len(ids)-1-at] > cells[0].id {
			at++
		}
	}
	x := tapeFrom + float64(at)*width
	end := min(x+max(float64(r.read)*width, 2), tapeTo)
	s.Line("", "mark", x, y+47, end, y+47)
	s.Line("", "mark", end, y+44, end, y+50)
	s.Line("", "mark", x, y+44, x, y+50)
}

func rect(p *page.Path, x, y, width, height float64) {
	p.Move(x, y)
	p.Line(x+width, y)
	p.Line(x+width, y+height)
	p.Line(x, y+height)
	p.Close()
}

// list draws the last pages of a reader, one a line.
func (w *world) list(s *page.SVG, r *reader, left float64) {
	lines := r.lines[max(0, len(r.lines)-linesShown):]
	for i, l := range lines {
		y := 152 + float64(i)*lineHeight
		if l.skipped > 0 {
			s.Rect("", "soft c4", left, y, 24, 18, 3)
			s.Text("", "note middle", left+12, y+13.5, "−"+strconv.Itoa(l.skipped))
		} else {
			s.Text("", "note end", left+20, y+13.5, strconv.Itoa(len(r.lines)-len(lines)+i+1))
		}
		for k, c := range l.cells {
			x := left + 27 + float64(k)*33
			if c.repeat {
				s.Rect("", "bad", x, y, 31, 18, 3)
				s.Text("", "inverse middle", x+15.5, y+13.5, strconv.FormatInt(c.id, 10))
				continue
			}
			s.Rect("", "soft c0", x, y, 31, 18, 3)
			s.Text("", "middle", x+15.5, y+13.5, strconv.FormatInt(c.id, 10))
		}
	}
}

// token shows the cursor that the last page came with, or the one that was sent and what was answered.
func (w *world) token(s *page.SVG) {
	s.Line("", "grid", 2, 432, 398, 432)
	if a := w.answer; a != nil {
		class := "bad"
		if a.status == http.StatusOK {
			class = "good"
		}
		s.Text("", "note", 2, 447, "sent: GET /posts?cursor=")
		s.Text("", "label end "+class, 398, 447, strconv.Itoa(a.status)+" "+http.StatusText(a.status))
		s.Text("", "code "+class, 2, 464, a.token)
		return
	}
	s.Text("", "note", 2, 447, "cursor of the next page")
	s.Text("", "code", 2, 464, w.cursor)
}
