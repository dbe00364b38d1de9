package browser_test

import (
	"bytes"
	"flag"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the pictures of the pages into docs")

// TestPagesCanBeSeen takes a picture of each page with something done on it. With -update it goes into docs; it is never compared.
func TestPagesCanBeSeen(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name, scheme, path string
		do                 func(p *tab)
	}{
		{"ring", "light", "/ring?seed=7&nodes=5", func(p *tab) {
			p.press("add")
			p.until(`f("nodes") === 6`)
		}},
		{"ring-dark", "dark", "/ring?seed=7&nodes=5", func(p *tab) {
			p.press("add")
			p.until(`f("nodes") === 6`)
		}},
		{"bucket", "light", "/bucket?seed=1", func(p *tab) {
			p.slide("traffic", 3)
			p.press("fire")
			p.press("return")
			p.until(`f("waited-ms") > 0`)
			p.press("fire")
			p.until(`f("level") > 8`) // some seconds to look at
		}},
		{"cache", "light", "/cache?seed=3", func(p *tab) {
			p.press("replay")
			p.until(`f("step") > 2000`)
		}},
		{"bloom", "light", "/bloom?seed=3", func(p *tab) {
			p.press("hundred")
			p.until(`f("added") >= 100`)
		}},
		{"ids", "light", "/ids?seed=3", func(p *tab) {
			p.press("issue")
			p.until(`f("issued") >= 10000`)
		}},
		{"paging", "light", "/paging?seed=3", func(p *tab) {
			p.choose("inserts", "20")
			p.press("walk")
			p.until(`f("offset-duplicates") > 0`)
		}},
		{"session", "light", "/session?idle=20", func(p *tab) {
			p.inside("Browser A", `button[formaction="login"]`)
			p.shop("Browser A", "Logged in as ada")
			p.press("kill")
			p.until(`f("lost-sticky") === 34`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := s.tab(t)
			p.do("emulate", chromedp.EmulateViewport(1080, 800),
				emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: c.scheme}}))
			p.open(c.path)
			c.do(p)
			var shot []byte
			p.do("take a picture",
				chromedp.Evaluate(`window.scrollTo(0, document.querySelector('.stage').getBoundingClientRect().top + scrollY - 32)`, nil),
				chromedp.CaptureScreenshot(&shot))
			picture, err := png.Decode(bytes.NewReader(shot))
			require.NoError(t, err)
			colours := map[any]bool{}
			for x := range picture.Bounds().Dx() {
				for y := range picture.Bounds().Dy() {
					colours[picture.At(x, y)] = true
				}
			}
			require.Greater(t, len(colours), 100, "the picture is empty")
			if *update {
				require.NoError(t, os.WriteFile(filepath.Join("..", "..", "..", "docs", "playground-"+c.name+".png"), shot, 0o644)) //nolint:gosec // a file of the repository
			}
		})
	}
}
