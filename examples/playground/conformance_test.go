package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

// The tests of this file run over every page: what one of them forgets is red here.

func testSite(tb testing.TB) *site {
	tb.Helper()
	s, err := newSite(tb.Context(), pages(), 1)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.worlds.kept.Clear) // in a bubble of synctest nothing may be left running
	return s
}

// get and post ask the site as a browser without script does.
func get(tb testing.TB, s http.Handler, target string) *httptest.ResponseRecorder {
	tb.Helper()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(tb.Context(), http.MethodGet, target, nil))
	return rec
}

func post(tb testing.TB, s http.Handler, target string, form url.Values, accept string) *httptest.ResponseRecorder {
	tb.Helper()
	r := httptest.NewRequestWithContext(tb.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	return rec
}

func eachPage(t *testing.T, test func(t *testing.T, p page.Page, info page.Info)) {
	t.Helper()
	for _, p := range pages() {
		t.Run(p.Info().Path, func(t *testing.T) { test(t, p, p.Info()) })
	}
}

func TestEveryPageDeclaresEveryPiece(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	eachPage(t, func(t *testing.T, _ page.Page, info page.Info) {
		for what, text := range map[string]string{
			"Title": info.Title, "Heading": info.Heading, "Lead": info.Lead, "Question": info.Question, "Answer": info.Answer, "Caption": info.Caption,
			"Guesses[0]": info.Guesses[0], "Guesses[1]": info.Guesses[1], "Guesses[2]": info.Guesses[2], "Code.File": info.Code.File,
			"Code.Symbol": info.Code.Symbol, "Package": info.Package, "Try[0]": info.Try[0], "Try[1]": info.Try[1], "Try[2]": info.Try[2],
		} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s is empty", what)
			}
		}
		if !name.MatchString(info.Path) || info.Right < 0 || info.Right > 2 {
			t.Errorf("Path %q, Right %d", info.Path, info.Right)
		}
		controls := len(info.Forms)
		for _, s := range info.Settings {
			if !s.Quiet {
				controls++
			}
			if s.Label == "" || !name.MatchString(s.Name) || slices.Contains([]string{"do", "w", "state", "value", "seed"}, s.Name) || len(s.Choices) > 7 {
				t.Errorf("setting %+v", s)
			}
			if _, err := page.Parse([]page.Setting{s}, nil, url.Values{s.Name: {s.Default}}); err != nil {
				t.Errorf("the default of %s: %v", s.Name, err)
			}
		}
		if controls < 2 || controls > 4 {
			t.Errorf("%d controls, want 2 to 4", controls)
		}
		for _, f := range info.Facts {
			if f.Label == "" || !name.MatchString(f.Name) {
				t.Errorf("fact %+v", f)
			}
		}
		for _, f := range info.Forms {
			if len(f.Buttons) == 0 || f.Field != nil && (f.Field.Label == "" || !f.Field.Pick && f.Field.Max <= 0) {
				t.Errorf("form %+v", f)
			}
			for _, b := range f.Buttons {
				if b.Label == "" || !name.MatchString(b.Action) || b.Action == "set" {
					t.Errorf("button %+v", b)
				}
			}
		}
	})
}

func TestEveryPageRendersForManySeeds(t *testing.T) {
	s := testSite(t)
	eachPage(t, func(t *testing.T, _ page.Page, info page.Info) {
		for _, seed := range []string{"0", "1", "2", "3", "7", "18446744073709551615"} {
			rec := get(t, s, "/"+info.Path+"?seed="+seed)
			if rec.Code != http.StatusOK {
				t.Fatalf("seed %s: %d", seed, rec.Code)
			}
			checkPage(t, info, rec.Body.String())
			if csp := rec.Header().Get("Content-Security-Policy"); csp != policy {
				t.Errorf("policy %q", csp)
			}
		}
	})
}

func checkPage(t *testing.T, info page.Info, html string) {
	t.Helper()
	for _, bad := range []string{`style\s*=\s*"`, `<style`, `\son[a-z]+\s*=\s*"`, `<script[^>]*>[^<]`, `(src|action)="(https?:)?//`, `NaN`, `ZgotmplZ`} {
		if at := regexp.MustCompile(bad).FindString(html); at != "" {
			t.Errorf("found %q", at)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("id %q twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`\s(?:for|aria-labelledby)="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("a label for %q, which is not there", m[1])
		}
	}
	for _, f := range info.Facts {
		out := regexp.MustCompile(`<output id="fact-` + f.Name + `" data-fact="` + f.Name + `"[^>]*>([^<]+)</output>`).FindStringSubmatch(html)
		if out == nil || !strings.Contains(html, `<label for="fact-`+f.Name+`"`) {
			t.Errorf("fact %s is missing, empty or without label", f.Name)
		}
	}
	if n := strings.Count(html, "data-fact="); n != len(info.Facts) {
		t.Errorf("%d facts shown, %d declared", n, len(info.Facts))
	}
	for _, piece := range []string{`role="img"`, `role="status" aria-live="polite"`, `<details>`, `<pre tabindex="0"`, "pkg.go.dev/github.com/sysblocks/sysblocks/" + info.Package} {
		if !strings.Contains(html, piece) {
			t.Errorf("no %s", piece)
		}
	}
	for _, form := range regexp.MustCompile(`<form[^>]*>`).FindAllString(html, -1) {
		if !strings.Contains(form, `method="post"`) || !strings.Contains(form, `action="/`+info.Path+`/do"`) {
			t.Errorf("%s does not work without script", form)
		}
	}
	box := regexp.MustCompile(`id="picture" viewBox="0 0 ([0-9.]+) ([0-9.]+)"`).FindStringSubmatch(html)
	if box == nil {
		t.Fatal("no picture")
	}
	if width, err := strconv.ParseFloat(box[1], 64); err != nil || width > 400 {
		t.Errorf("the picture is %s wide: its text is not legible on a narrow screen", box[1])
	}
}

// A world gives exactly the facts that are declared, before and after every action.
func TestFactsAreThoseDeclared(t *testing.T) {
	s := testSite(t)
	eachPage(t, func(t *testing.T, p page.Page, info page.Info) {
		w, err := s.worlds.open(t.Context(), p, url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		pressAll(t, w, func(step string, u update) {
			for _, f := range info.Facts {
				if v, ok := u.Facts[f.Name]; !ok || v.Text == "" {
					t.Errorf("after %q: no fact %s", step, f.Name)
				}
			}
			for name := range u.Facts {
				if !slices.ContainsFunc(info.Facts, func(f page.Fact) bool { return f.Name == name }) {
					t.Errorf("after %q: fact %s is not declared", step, name)
				}
			}
			if u.Says == "" || u.SVG == "" {
				t.Errorf("after %q: says %q, a picture of %d bytes", step, u.Says, len(u.SVG))
			}
			if len(u.SVG) > 200<<10 {
				t.Errorf("after %q: a picture of %d bytes", step, len(u.SVG))
			}
		})
	})
}

// pressAll presses every button once, with the first pick or the hint of its field, and hears what changed.
func pressAll(t *testing.T, w *world, hear func(step string, u update)) {
	t.Helper()
	u, _ := w.Look()
	hear("", u)
	for _, f := range w.info.Forms {
		for _, b := range f.Buttons {
			step := b.Action
			if f.Field != nil {
				value := f.Field.Hint
				if f.Field.Pick && len(u.Picks) > 0 {
					value = u.Picks[0]
				}
				step += " " + value
			}
			var err error
			if u, err = w.Do(t.Context(), step); err != nil {
				t.Fatalf("%q: %v", step, err)
			}
			hear(step, u)
		}
	}
}

func TestURLReproducesTheState(t *testing.T) {
	s := testSite(t)
	eachPage(t, func(t *testing.T, p page.Page, _ page.Info) {
		w, err := s.worlds.open(t.Context(), p, url.Values{"seed": {"11"}})
		if err != nil {
			t.Fatal(err)
		}
		if w.Flows() {
			return // what has passed is not replayed
		}
		pressAll(t, w, func(step string, u update) {
			at, err := url.Parse(u.URL)
			if err != nil {
				t.Fatal(err)
			}
			again, err := s.worlds.open(t.Context(), p, at.Query())
			if err != nil {
				t.Fatal(err)
			}
			same, _ := again.Look()
			if facts(t, same) != facts(t, u) || same.SVG != u.SVG || same.URL != u.URL || same.Says != u.Says {
				t.Errorf("after %q: %s shows another state:\n%s\n%s", step, u.URL, facts(t, u), facts(t, same))
			}
		})
	})
}

func facts(tb testing.TB, u update) string {
	tb.Helper()
	data, err := json.Marshal(u.Facts)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// The first button and every setting work by a form alone: POST, redirection, page.
func TestFormsWorkWithoutScript(t *testing.T) {
	s := testSite(t)
	eachPage(t, func(t *testing.T, _ page.Page, info page.Info) {
		first := get(t, s, "/"+info.Path).Body.String()
		id := regexp.MustCompile(`data-world="([0-9]+)"`).FindStringSubmatch(first)[1]
		form := url.Values{"w": {id}, "do": {"set"}}
		for _, set := range info.Settings {
			form.Set(set.Name, set.Default)
			if len(set.Choices) > 0 {
				form.Set(set.Name, set.Choices[len(set.Choices)-1].Value)
			}
		}
		rec := post(t, s, "/"+info.Path+"/do", form, "text/html")
		if rec.Code != http.StatusSeeOther {
			t.Fatalf("settings: %d %s", rec.Code, rec.Body)
		}
		html := get(t, s, rec.Header().Get("Location")).Body.String()
		checkPage(t, info, html)
		for _, set := range info.Settings {
			if len(set.Choices) > 0 && !set.Quiet && !strings.Contains(html, `name="`+set.Name+`" value="`+form.Get(set.Name)+`" checked`) {
				t.Errorf("%s is not %s", set.Name, form.Get(set.Name))
			}
		}
		if len(info.Forms) > 0 && info.Forms[0].Field == nil {
			action := url.Values{"w": {id}, "do": {info.Forms[0].Buttons[0].Action}}
			rec := post(t, s, "/"+info.Path+"/do", action, "text/html")
			after := get(t, s, rec.Header().Get("Location"))
			if rec.Code != http.StatusSeeOther || after.Code != http.StatusOK {
				t.Errorf("%s: %d, then %d", action.Get("do"), rec.Code, after.Code)
			}
		}
	})
}

func TestWrongInputIsExplained(t *testing.T) {
	s := testSite(t)
	eachPage(t, func(t *testing.T, _ page.Page, info page.Info) {
		queries := []string{"seed=x", "seed=-1", "unknown=1", "do=unknown", "do=set"}
		for _, set := range info.Settings {
			queries = append(queries, set.Name+"=x", set.Name+"=-1", set.Name+"=", set.Name+"=99999999999")
		}
		for _, q := range queries {
			rec := get(t, s, "/"+info.Path+"?"+q)
			// A live world does not replay what was done, so it does not look at it.
			if live := strings.HasPrefix(q, "do=") && strings.Contains(get(t, s, "/"+info.Path).Body.String(), "data-live"); live {
				continue
			}
			if rec.Code != http.StatusBadRequest || !strings.Contains(rec.Body.String(), `role="alert"`) {
				t.Errorf("?%s: %d", q, rec.Code)
			}
		}
		id := regexp.MustCompile(`data-world="([0-9]+)"`).FindStringSubmatch(get(t, s, "/"+info.Path).Body.String())[1]
		for _, form := range []url.Values{
			{"w": {id}, "do": {"unknown"}},
			{"w": {id}},
			{"w": {id}, "do": {"set"}, info.Settings[0].Name: {"none"}},
			{"w": {id}, "do": {strings.Repeat("x", 20<<10)}},
		} {
			rec := post(t, s, "/"+info.Path+"/do", form, "application/json")
			var answer struct{ Error string }
			if rec.Code == http.StatusBadRequest && rec.Header().Get("Content-Type") == "application/json" {
				if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Error == "" {
					t.Errorf("%.60v: %s", form, rec.Body)
				}
			} else if rec.Code != http.StatusBadRequest {
				t.Errorf("%.60v: %d", form, rec.Code)
			}
		}
		for _, f := range info.Forms {
			long := url.Values{"w": {id}, "do": {f.Buttons[0].Action}, "value": {strings.Repeat("v", 300)}}
			if rec := post(t, s, "/"+info.Path+"/do", long, "application/json"); rec.Code != http.StatusBadRequest {
				t.Errorf("a value of 300 bytes for %s: %d", f.Buttons[0].Action, rec.Code)
			}
		}
	})
}
