package browser_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// deadline is what one step may take: a machine that compiles beside it is slow.
const deadline = 30 * time.Second

// tab is one page of the site. Every step fails the test when it does not succeed in time.
type tab struct {
	t    *testing.T
	site *site
	ctx  context.Context

	mu       sync.Mutex
	problems []string // what a developer would see in the console, and requests that left the origin
}

// tab opens a tab. At the end of the test nothing may stand in its console, and nothing may have been asked of another origin.
func (s *site) tab(t *testing.T, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, end := chromedp.NewContext(s.ctx, options...)
	p := &tab{t: t, site: s, ctx: ctx}
	chromedp.ListenTarget(ctx, p.listen)
	t.Cleanup(func() {
		end()
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, problem := range p.problems {
			t.Error(problem)
		}
	})
	// Without a deadline of its own: the tab lives as long as the context that it is opened with.
	require.NoError(t, chromedp.Run(ctx, network.Enable(), runtime.Enable(), log.Enable()))
	return p
}

func (p *tab) listen(event any) {
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		p.problem("exception: %s", e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			p.problem("console %s: %s", e.Type, e.Args[0].Value)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.LevelError || e.Entry.Level == log.LevelWarning {
			p.problem("log %s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *network.EventRequestWillBeSent:
		url := e.Request.URL
		if !strings.HasPrefix(url, p.site.url+"/") && url != "about:blank" {
			p.problem("a request left the origin: %s", url)
		}
	}
}

func (p *tab) problem(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, fmt.Sprintf(format, args...))
}

// forgive takes problems that contain a text off the list: a refusal by the server, which the browser logs as well.
func (p *tab) forgive(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kept := p.problems[:0]
	for _, problem := range p.problems {
		if !strings.Contains(problem, text) {
			kept = append(kept, problem)
		}
	}
	p.problems = kept
}

// do runs actions, all within the deadline.
func (p *tab) do(what string, actions ...chromedp.Action) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// open goes to a path.
func (p *tab) open(path string) {
	p.t.Helper()
	p.do("go to "+path, chromedp.Navigate(p.site.url+path))
}

// click clicks an element.
func (p *tab) click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(selector, chromedp.ByQuery))
}

// press clicks the button of an action.
func (p *tab) press(action string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`button[name="do"][value="%s"]`, action))
}

// choose clicks one of the choices of a setting.
func (p *tab) choose(name, value string) {
	p.t.Helper()
	p.click(fmt.Sprintf(`label:has(input[name="%s"][value="%s"])`, name, value))
}

// pick chooses from a select element.
func (p *tab) pick(selector, value string) {
	p.t.Helper()
	p.do("pick "+value, chromedp.SetValue(selector, value, chromedp.ByQuery))
}

// enter replaces the text of the field in the form of an action.
func (p *tab) enter(action, text string) {
	p.t.Helper()
	field := fmt.Sprintf(`form:has(button[value="%s"]) input[type="text"]`, action)
	erase := kb.End + strings.Repeat(kb.Backspace, 200)
	p.do("enter "+text, chromedp.SendKeys(field, erase+text, chromedp.ByQuery))
}

// slide moves a slider by its keys, all the way down and then up so many steps.
func (p *tab) slide(name string, steps int) {
	p.t.Helper()
	slider := fmt.Sprintf(`input[type="range"][name="%s"]`, name)
	p.do("slide "+name, chromedp.SendKeys(slider, kb.Home+strings.Repeat(kb.ArrowRight, steps), chromedp.ByQuery))
}

// eval returns the value of an expression.
func eval[T any](p *tab, expression string) (v T) {
	p.t.Helper()
	p.do(expression, chromedp.Evaluate(expression, &v))
	return v
}

// fact is the value of a fact; missing, or not a number, fails.
func (p *tab) fact(name string) float64 {
	p.t.Helper()
	text := eval[string](p, fmt.Sprintf(`document.querySelector('output[data-fact="%s"]')?.dataset.value ?? "missing"`, name))
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		p.t.Fatalf("fact %s is %q", name, text)
	}
	return v
}

// until waits until an expression is true. In it, f("name") is the value of a fact. chromedp's own Poll compiles the expression in the
// page, which the page's policy forbids; here the browser evaluates it.
func (p *tab) until(condition string) {
	p.t.Helper()
	expression := `(() => { const f = (name) => Number(document.querySelector('output[data-fact="' + name + '"]').dataset.value); return Boolean(` + condition + `); })()`
	ctx, cancel := context.WithTimeout(p.ctx, deadline)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var holds bool
		if err := chromedp.Run(ctx, chromedp.Evaluate(expression, &holds)); err != nil {
			p.t.Fatalf("%s does not come true: %v; the page says %s", condition, err, p.says())
		}
		if holds {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s does not come true; the page says %s", condition, p.says())
		case <-tick.C:
		}
	}
}

// says is what the page says and shows, for messages.
func (p *tab) says() (text string) {
	ctx, cancel := context.WithTimeout(p.ctx, time.Second)
	defer cancel()
	facts := `document.querySelector('#says').textContent + document.querySelector('#error').textContent + ' ' + [...document.querySelectorAll('output')].map((o) => o.dataset.fact + '=' + o.dataset.value).join(' ')`
	if err := chromedp.Run(ctx, chromedp.Evaluate(facts, &text)); err != nil {
		return err.Error()
	}
	return text
}
