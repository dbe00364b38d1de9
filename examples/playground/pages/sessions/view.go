package sessions

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
	"github.com/sysblocks/sysblocks/session"
)

// View implements page.World.
func (w *world) View() page.View {
	facts := map[string]page.Value{
		"lost-shared": page.Count(w.lost[0]).If(w.lost[0] == 0), "lost-sticky": page.Count(w.lost[1]),
		"token-changed": page.None(), "fixation": page.Count(w.fixated), "expired-after-ms": page.None(), "ended": page.None(),
		"http-only": page.None(), "same-site": page.None(), "cookie-path": page.None(),
	}
	if w.attacks > 0 {
		facts["fixation"] = page.Count(w.fixated).If(w.fixated == 0)
	}
	if w.changed >= 0 {
		facts["token-changed"] = page.Count(w.changed).If(w.changed == 1)
	}
	if w.expired > 0 {
		facts["expired-after-ms"] = page.Millis(w.expired.Milliseconds())
	}
	if w.ended >= 0 {
		facts["ended"] = page.Count(w.ended)
	}
	if c := w.cookie; c != nil {
		hidden := 0
		if c.HttpOnly {
			hidden = 1
		}
		facts["http-only"] = page.Count(hidden).If(c.HttpOnly)
		facts["same-site"] = page.Text(sameSite(c.SameSite))
		facts["cookie-path"] = page.Text(c.Path)
	}
	return page.View{Facts: facts, Picture: w.picture(), Says: w.says}
}

func sameSite(s http.SameSite) string {
	switch s {
	case http.SameSiteLaxMode:
		return "Lax"
	case http.SameSiteStrictMode:
		return "Strict"
	case http.SameSiteNoneMode:
		return "None"
	default:
		return "not said"
	}
}

// The crowds stand in two squares of ten by ten.
const (
	side   = 10
	pitch  = 15.5
	square = side * pitch
)

func (w *world) picture() *page.SVG {
	p := page.NewSVG(400, 330)
	for i, x := range []float64{22, 222} {
		p.Text("", "label", x, 14, [2]string{"in one store", "in each node"}[i])
		for u := range users {
			// In the order of the nodes, so that what a node takes with it is one patch.
			place := u%nodes*(users/nodes+1) + u/nodes
			if u%nodes > 1 {
				place-- // the first node has one user more
			}
			cx, cy := x+pitch*(float64(place%side)+0.5), 26+pitch*(float64(place/side)+0.5)
			class := fmt.Sprintf("c%d glide", [nodes]int{0, 2, 4}[u%nodes])
			if w.outs[i][u] {
				class = "gone"
			}
			p.Circle(fmt.Sprintf("user-%d-%d", i, u), class, cx, cy, 5)
		}
		lost := strconv.Itoa(w.lost[i])
		p.Text("", "big", x, 26+square+36, lost)
		p.Text("", "note", x+8+20*float64(len(lost)), 26+square+36, "of 100 logged out")
	}
	for i, b := range w.browser {
		y := 256 + 40*float64(i)
		left, limit := w.left(b), w.shop.idle
		p.Text("", "label", 22, y+13, "Browser "+strings.ToUpper(b.name))
		p.Rect("", "faint", 112, y, 266, 18, 9)
		if left > 0 {
			p.Rect("left-"+b.name, "c0", 112, y, 266*min(1, left.Seconds()/limit.Seconds()), 18, 9)
		}
		text := "no session"
		if left > 0 {
			text = fmt.Sprintf("ends in %.1f s unless it asks again", left.Seconds())
		}
		p.Text("", "note", 112, y+33, text)
	}
	return p
}

// left is what is left of a browser's session.
func (w *world) left(b *browser) time.Duration {
	if b.id == (session.ID{}) {
		return 0
	}
	rec, err := b.store.Load(context.Background(), b.id)
	if err != nil {
		return 0
	}
	return max(0, rec.ExpiresAt.Sub(w.now))
}
