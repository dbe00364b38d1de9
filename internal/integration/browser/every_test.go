package browser_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// pages are the paths in the navigation.
func (p *tab) pages() []string {
	p.t.Helper()
	p.open("/")
	paths := eval[[]string](p, `[...document.querySelectorAll('nav a')].map((a) => a.getAttribute('href'))`)
	require.NotEmpty(p.t, paths)
	return paths
}

// TestEveryPageWorksForEverybody holds for all pages, also for those that come later.
func TestEveryPageWorksForEverybody(t *testing.T) {
	s := start(t)
	for _, path := range s.tab(t).pages() {
		t.Run("page="+path, func(t *testing.T) {
			p := s.tab(t)
			began := time.Now()
			p.open(path)
			require.NotEmpty(t, eval[string](p, `document.querySelector('output')?.textContent ?? ''`), "no fact is there")
			took := eval[float64](p, `performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd`)
			require.Less(t, took, 1000.0, "milliseconds until the first facts, of %v in all", time.Since(began))
			for _, width := range []int64{360, 1280} {
				p.do("resize", chromedp.EmulateViewport(width, 800))
				over := eval[float64](p, `document.documentElement.scrollWidth - document.documentElement.clientWidth`)
				require.LessOrEqual(t, over, 0.0, "pixels beyond the edge at a width of %d", width)
			}
			p.labelled(t)
			p.walked(t)
		})
	}
}

// labelled: a screen reader can name every output and every control.
func (p *tab) labelled(t *testing.T) {
	t.Helper()
	nameless := eval[[]string](p, `[...document.querySelectorAll('output, input:not([type="hidden"]), select, button, summary, main a')]
		.filter((e) => ![...(e.labels ?? [])].some((l) => l.textContent.trim()) && !e.textContent.trim() && !e.getAttribute('aria-label'))
		.map((e) => e.outerHTML)`)
	require.Empty(t, nameless)
	require.Positive(t, eval[int](p, `document.querySelectorAll('output[data-fact]').length`))
	require.Empty(t, eval[[]string](p, `[...document.querySelectorAll('output')].filter((o) => o.labels.length !== 1).map((o) => o.outerHTML)`), "an output with one label")
}

// walked: the Tab key reaches every control, and what has the focus can be seen to have it; within a frame, it is the frame that shows it.
func (p *tab) walked(t *testing.T) {
	t.Helper()
	stops := eval[int](p, `(() => {
		const groups = new Set();
		window.unreached = new Set([...document.querySelectorAll('a[href], button, input:not([type="hidden"]), select, summary, [tabindex="0"]')].filter((e) => {
			if (e.disabled || !e.checkVisibility({ visibilityProperty: true })) return false;
			if (e.type !== 'radio') return true;
			const group = [...document.getElementsByName(e.name)];
			const entry = group.find((r) => r.checked) ?? e;
			if (groups.has(e.name) || entry !== e) return false;
			groups.add(e.name);
			return true;
		}));
		window.unseen = [];
		document.activeElement.blur();
		return window.unreached.size;
	})()`)
	for range stops + 5 {
		p.do("Tab", chromedp.KeyEvent(kb.Tab))
		p.do("look at the focus", chromedp.Evaluate(`(() => {
			const e = document.activeElement;
			window.unreached.delete(e);
			const shown = [e, e.nextElementSibling, e.closest('label')].filter(Boolean).some((x) => {
				const style = getComputedStyle(x);
				return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0 || style.boxShadow !== 'none';
			});
			if (e !== document.body && e.tagName !== 'IFRAME' && !shown) window.unseen.push(e.outerHTML);
			return true;
		})()`, nil))
	}
	require.Empty(t, eval[[]string](p, `[...window.unreached].map((e) => e.outerHTML)`), "never reached by %d times Tab", stops+5)
	require.Empty(t, eval[[]string](p, `window.unseen`), "has the focus and does not show it")
}

// TestEightTabsAtOnce has time flow in eight tabs. Browsers open six connections to a host, for all tabs of a person: those of one
// person take turns. Eight people with a tab each get all that they can see.
func TestEightTabsAtOnce(t *testing.T) {
	for _, c := range []struct {
		who     string
		rate    float64 // updates a second in each tab
		options []chromedp.ContextOption
	}{
		{"one person", 0.5, nil},
		{"eight people", 10, []chromedp.ContextOption{chromedp.WithNewBrowserContext()}},
	} {
		t.Run(c.who, func(t *testing.T) {
			s := start(t)
			tabs := make([]*tab, 8)
			for i := range tabs {
				tabs[i] = s.tab(t, c.options...)
				tabs[i].open(fmt.Sprintf("/bucket?seed=%d&traffic=40", i+1))
				eval[bool](tabs[i], `(() => {
					window.updates = [];
					new MutationObserver(() => window.updates.push(performance.now()))
						.observe(document.querySelector('output[data-fact="level"]'), { attributes: true, attributeFilter: ['data-value'] });
					return true;
				})()`)
			}
			for i, p := range tabs {
				p.until(`window.updates.length > 0 && performance.now() - window.updates[0] > 4000`)
				rate := eval[float64](p, `window.updates.length / (performance.now() - window.updates[0]) * 1000`)
				require.GreaterOrEqual(t, rate, c.rate, "updates a second in tab %d", i)
			}
		})
	}
}
