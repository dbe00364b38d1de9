package browser_test

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// script uses the controls of a page and holds its facts to what the package promises.
type script struct {
	path string
	run  func(p *tab)
}

func scripts() []script {
	return []script{
		{"/home", home},
		{"/ring", ring},
		{"/bucket", bucket},
		{"/cache", cachePage},
		{"/bloom", bloomPage},
		{"/ids", idsPage},
		{"/paging", pagingPage},
		{"/session", sessions},
	}
}

func TestFactsFollowTheControls(t *testing.T) {
	s := start(t)
	for _, c := range scripts() {
		t.Run("page="+c.path, func(t *testing.T) { c.run(s.tab(t)) })
	}
}

// TestEveryPageHasAScript: a page that comes into the navigation needs one.
func TestEveryPageHasAScript(t *testing.T) {
	for _, path := range start(t).tab(t).pages() {
		require.True(t, slices.ContainsFunc(scripts(), func(c script) bool { return c.path == path }), path)
	}
}

func home(p *tab) {
	p.open("/home")
	p.until(`Math.abs(f("qps-read") - 11574) < 1 && Math.abs(f("qps-write") - 3472) < 1`)
	p.choose("users", "1000")
	p.until(`Math.abs(f("qps-read") - 115741) < 1 && Math.abs(f("qps-write") - 34722) < 1`)
	p.slide("writes", 0)
	p.until(`Math.abs(f("qps-write") - 11574) < 1 && Math.abs(f("qps-peak") - 3 * (f("qps-read") + f("qps-write"))) < 3`)
	p.until(`Math.abs(f("rows") / (f("qps-write") * 86400 * 365 * 5) - 1) < 0.001 && Math.abs(f("bytes") / (f("rows") * 500) - 1) < 0.001`)
	p.until(`62 ** f("id-letters") >= f("rows") && 62 ** (f("id-letters") - 1) < f("rows")`)
	p.choose("users", "1")
	p.until(`f("id-letters") === 6`)
}

func ring(p *tab) {
	p.open("/ring?seed=7&nodes=5")
	p.until(`f("keys") === 100000 && f("moved") === 0 && f("nodes") === 5`)
	p.press("add")
	p.until(`f("nodes") === 6 && f("moved") > 0 && f("moved") === f("moved-to-new") && f("share") <= f("bound")`)
	p.choose("placement", "modulo")
	p.until(`f("nodes") === 6 && Math.abs(f("share") - 5 / 6) < 0.01 && f("moved") > f("moved-to-new")`)
	p.choose("placement", "ring")
	p.choose("vnodes", "1")
	p.until(`f("max-over-mean") > 1.3`)
	few := p.fact("max-over-mean")
	p.choose("vnodes", "512")
	p.until(`f("max-over-mean") < 1.2`)
	require.Less(p.t, p.fact("max-over-mean"), few)
	p.choose("placement", "bounded")
	p.until(`f("max-over-mean") <= 1.06`)
	p.choose("placement", "ring")
	p.until(`f("max-over-mean") > 1.01`)
	p.pick(`select[name="value"]`, "f")
	p.press("remove")
	p.until(`f("nodes") === 5 && f("restored") === f("keys")`)
	// The URL says all: without what the server remembers of this tab, the same state comes back.
	moved := p.fact("moved")
	p.do("reload", chromedp.Reload())
	require.InDelta(p.t, moved, p.fact("moved"), 0)
}

func bucket(p *tab) {
	p.open("/bucket?seed=1&burst=20")
	p.until(`f("level") === 20`)
	p.press("fire")
	p.until(`f("admitted") === 20 && f("level") >= 0 && f("level") <= 20 && f("worst-window") <= f("allowed")`)
	p.press("return")
	p.until(`f("waited-ms") >= 0 && f("retry-after-ms") > 0 && Math.abs(f("waited-ms") - f("retry-after-ms")) <= 50`)
	p.slide("traffic", 40)
	p.until(`f("level") < 1 && f("worst-window") > 0 && f("worst-window") <= f("allowed")`)
	p.choose("limiter", "fixed")
	p.press("fire")
	p.until(`f("worst-window") <= f("allowed")`)
}
