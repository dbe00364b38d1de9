package browser_test

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// inside clicks a button of the shop within a frame.
func (p *tab) inside(frame, selector string) {
	p.t.Helper()
	var frames []*cdp.Node
	p.do("find "+frame, chromedp.Nodes(fmt.Sprintf(`iframe[title="%s"]`, frame), &frames, chromedp.ByQuery))
	p.do("click in "+frame, chromedp.Click(selector, chromedp.ByQuery, chromedp.FromNode(frames[0])))
}

// shop waits until a frame shows a text.
func (p *tab) shop(frame, text string) {
	p.t.Helper()
	p.until(fmt.Sprintf(`document.querySelector('iframe[title="%s"]').contentDocument.body?.textContent.includes("%s")`, frame, text))
}

func sessions(p *tab) {
	p.open("/session?idle=3")
	p.shop("Browser A", "Nobody is logged in")
	p.inside("Browser A", `button[formaction="add"]`)
	p.shop("Browser A", "1 in the cart")
	p.inside("Browser A", `button[formaction="login"]`)
	p.shop("Browser A", "Logged in as ada")
	p.until(`f("token-changed") === 1`)
	p.shop("Browser B", "Nobody is logged in") // its cookie has another path
	p.held()
	p.until(`Math.abs(f("expired-after-ms") - 3000) <= 1000`)

	p.inside("Browser A", `button[formaction="add"]`) // with the cookie of the session that has ended
	p.shop("Browser A", "Nobody is logged in")
	for _, frame := range []string{"Browser A", "Browser B"} {
		p.inside(frame, `button[formaction="login"]`)
		p.shop(frame, "Logged in as ada")
	}
	p.press("everywhere")
	p.until(`f("ended") >= 1`)
	p.press("attack")
	p.until(`document.querySelector('#says').textContent.includes("worth nothing") && f("fixation") === 0`)
	p.press("kill")
	p.until(`f("lost-shared") === 0 && f("lost-sticky") === 34`)
}

// held looks at the cookies as the browser itself holds them.
func (p *tab) held() {
	p.t.Helper()
	path := eval[string](p, `new URL(document.querySelector('iframe').src).pathname`)
	var cookies []*network.Cookie
	p.do("look at the cookies", chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().WithURLs([]string{p.site.url + path}).Do(ctx)
		return err
	}))
	require.Len(p.t, cookies, 1)
	require.True(p.t, cookies[0].HTTPOnly)
	require.Equal(p.t, network.CookieSameSiteLax, cookies[0].SameSite)
	require.Equal(p.t, path, cookies[0].Path)
	require.Equal(p.t, path, eval[string](p, `document.querySelector('output[data-fact="cookie-path"]').textContent`))
	require.Empty(p.t, eval[string](p, `document.querySelector('iframe').contentDocument.cookie`), "a script can read it")
}
