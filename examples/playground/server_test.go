package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

func TestAssetsAreSmallAndComeFromHere(t *testing.T) {
	total := 0
	err := fs.WalkDir(files(), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(files(), path)
		if err != nil {
			return err
		}
		total += len(data)
		if strings.HasSuffix(path, ".js") && bytes.Count(data, []byte("\n")) > 400 {
			t.Errorf("%s is longer than 400 lines", path)
		}
		for _, link := range regexp.MustCompile(`(?:https?:)?//[a-z][^\s"']*`).FindAllString(string(data), -1) {
			if !strings.HasPrefix(path, "code/") && !strings.HasPrefix(link, "http://www.w3.org/") && !strings.HasPrefix(link, "https://pkg.go.dev/") {
				t.Errorf("%s asks for %s", path, link)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if total > 200<<10 {
		t.Errorf("%d bytes embedded, at most 200 KB", total)
	}
}

func TestAnotherOriginCannotAct(t *testing.T) {
	s := testSite(t)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/ring/do", strings.NewReader("do=add"))
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, r)
	if rec.Code != http.StatusForbidden {
		t.Errorf("a POST from another site: %d", rec.Code)
	}
}

func TestUnknownPathsAreNotFound(t *testing.T) {
	s := testSite(t)
	for _, path := range []string{"/nothing", "/ring/world/1/", "/assets/none.css", "/../main.go"} {
		if rec := get(t, s, path); rec.Code != http.StatusNotFound && rec.Code != http.StatusTemporaryRedirect && rec.Code != http.StatusMovedPermanently {
			t.Errorf("%s: %d", path, rec.Code)
		}
	}
	if rec := get(t, s, "/ring/events?w=1"); rec.Code != http.StatusNoContent {
		t.Errorf("events of no world: %d", rec.Code)
	}
}

// A forgotten world is made again from its URL, under another number.
func TestForgottenWorldComesBack(t *testing.T) {
	s := testSite(t)
	rec := post(t, s, "/ring/do", url.Values{"w": {"404"}, "state": {"/ring?seed=7&do=add"}, "do": {"add"}}, "application/json")
	var u update
	if err := json.Unmarshal(rec.Body.Bytes(), &u); err != nil {
		t.Fatal(err, rec.Body)
	}
	if u.Facts["nodes"].Number != "7" || u.World == "404" || !strings.Contains(u.URL, "do=add&do=add") {
		t.Errorf("nodes %s, world %s, URL %s", u.Facts["nodes"].Number, u.World, u.URL)
	}
}

func TestTooManyActionsAreThrottled(t *testing.T) {
	s := testSite(t)
	w, err := s.worlds.open(t.Context(), pages()[0], url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	for range 1000 {
		rec := post(t, s, "/home/do", url.Values{"w": {w.ID}, "do": {"set"}}, "application/json")
		if rec.Code == http.StatusTooManyRequests {
			if rec.Header().Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			return
		}
	}
	t.Error("1000 actions in a row were let through")
}

func TestManyTabsAreBounded(t *testing.T) {
	s := testSite(t)
	var tabs sync.WaitGroup
	for tab := range 8 {
		tabs.Go(func() {
			for i := range 40 {
				p := s.pages[i%len(s.pages)]
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/"+p.Info().Path, nil)
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", tab)
				rec := httptest.NewRecorder()
				s.ServeHTTP(rec, r)
				if rec.Code != http.StatusOK {
					t.Errorf("tab %d: %d", tab, rec.Code)
				}
			}
		})
	}
	tabs.Wait()
	if n := s.worlds.kept.Len(); n > maxWorlds {
		t.Errorf("%d worlds, at most %d", n, maxWorlds)
	}
}

// Two buttons at once, a stream and a reload of one world: -race looks on.
func TestOneWorldInManyHands(t *testing.T) {
	s := testSite(t)
	for _, p := range s.pages {
		w, err := s.worlds.open(t.Context(), p, url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		var hands sync.WaitGroup
		for range 4 {
			hands.Go(func() {
				for range 5 {
					w.Look()
					if len(w.info.Forms) > 0 {
						// An action may be refused the second time; only the race matters.
						_, _ = w.Do(t.Context(), w.info.Forms[0].Buttons[0].Action)
					}
				}
			})
		}
		hands.Wait()
	}
}

func TestWorldsLeaveAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		today(t)
		s := testSite(t)
		w, err := s.worlds.open(t.Context(), s.pages[0], url.Values{})
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(worldTTI - time.Minute)
		if _, ok := s.worlds.get(w.ID, w.info.Path); !ok {
			t.Error("gone too early")
		}
		<-time.After(worldTTI + time.Minute)
		if _, ok := s.worlds.get(w.ID, w.info.Path); ok {
			t.Error("still there")
		}
	})
}

// today waits until the clock of a bubble, which begins in the year 2000, has passed the epoch of idgen.
func today(tb testing.TB) {
	tb.Helper()
	<-time.After(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)))
}

// Every live page streams at most 15 updates a second, and at least 10.
func TestEventsFlow(t *testing.T) {
	for _, p := range pages() {
		synctest.Test(t, func(t *testing.T) {
			today(t)
			s := testSite(t)
			w, err := s.worlds.open(t.Context(), p, url.Values{})
			if err != nil {
				t.Fatal(err)
			}
			if !w.Flows() {
				return
			}
			events := listen(t, s, w.ID, p, 4*time.Second)
			if len(events) < 40 || len(events) > 61 {
				t.Errorf("%s: %d events in 4 s", p.Info().Path, len(events))
			}
			for i := 1; i < len(events); i++ {
				if events[i].Seq <= events[i-1].Seq {
					t.Fatalf("event %d has seq %d after %d", i, events[i].Seq, events[i-1].Seq)
				}
			}
			if s.streams.Load() != 0 {
				t.Error("a stream is left")
			}
		})
	}
}

func listen(tb testing.TB, s *site, id string, p page.Page, d time.Duration) []update {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	rec := httptest.NewRecorder()
	s.ServeHTTP(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/"+p.Info().Path+"/events?w="+id, nil))
	var events []update
	for line := range strings.Lines(rec.Body.String()) {
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			var u update
			if err := json.Unmarshal([]byte(data), &u); err != nil {
				tb.Fatal(err)
			}
			events = append(events, u)
		}
	}
	return events
}

// While many streams are open each ends after a second, so that a browser with its six connections serves all tabs.
func TestManyStreamsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		today(t)
		s := testSite(t)
		for _, p := range s.pages {
			w, err := s.worlds.open(t.Context(), p, url.Values{})
			if err != nil {
				t.Fatal(err)
			}
			if w.Flows() {
				s.streams.Add(manyStreams)
				if n := len(listen(t, s, w.ID, p, time.Minute)); n > 17 {
					t.Errorf("%d events in one stream beside others", n)
				}
				s.streams.Add(-manyStreams)
			}
		}
	})
}

func TestProgramPrintsItsURLAndEnds(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, in := io.Pipe()
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"-seed", "7"}, in, io.Discard) }()
	line := make([]byte, 100)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	base := strings.TrimSpace(string(line[:n]))
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"ring", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	html, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(html), "Seed 7") {
		t.Error("the seed of the flag is not that of the page")
	}
	stop()
	if c := <-code; c != 0 {
		t.Errorf("exit code %d", c)
	}
}

func TestWrongUseIsExitCode2(t *testing.T) {
	for _, args := range [][]string{{"-seed", "x"}, {"surplus"}, {"-none"}} {
		if c := run(t.Context(), args, io.Discard, io.Discard); c != 2 {
			t.Errorf("%v: exit code %d", args, c)
		}
	}
	if c := run(t.Context(), []string{"-addr", "256.0.0.1:1"}, io.Discard, io.Discard); c != 1 {
		t.Errorf("an address that does not exist: exit code %d", c)
	}
}
