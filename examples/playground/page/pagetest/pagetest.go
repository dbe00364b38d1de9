// Package pagetest makes the worlds of pages for their tests, and reads their facts.
package pagetest

import (
	"io"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/examples/playground/page"
)

// World is the world of a page under test.
type World struct {
	page.World
	tb testing.TB
	p  page.Page
}

// New makes a world with the settings of a query such as "nodes=5&placement=modulo".
func New(tb testing.TB, p page.Page, seed uint64, query string) *World {
	tb.Helper()
	w, err := p.New(seed, settings(tb, p, query))
	if err != nil {
		tb.Fatal(err)
	}
	if c, ok := w.(io.Closer); ok {
		tb.Cleanup(func() {
			if err := c.Close(); err != nil {
				tb.Error(err)
			}
		})
	}
	return &World{World: w, tb: tb, p: p}
}

func settings(tb testing.TB, p page.Page, query string) page.Settings {
	tb.Helper()
	q, err := url.ParseQuery(query)
	if err != nil {
		tb.Fatal(err)
	}
	s, err := page.Parse(p.Info().Settings, nil, q)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// Set changes all settings of a live world to those of the query.
func (w *World) Set(query string) {
	w.tb.Helper()
	if err := w.live().Set(settings(w.tb, w.p, query)); err != nil {
		w.tb.Fatal(err)
	}
}

// Do presses a button.
func (w *World) Do(action, value string) {
	w.tb.Helper()
	if err := w.World.Do(w.tb.Context(), action, value); err != nil {
		w.tb.Fatalf("%s %s: %v", action, value, err)
	}
}

// Refused presses a button and returns the error, which has to come.
func (w *World) Refused(action, value string) error {
	w.tb.Helper()
	err := w.World.Do(w.tb.Context(), action, value)
	if err == nil {
		w.tb.Fatalf("%s %q was accepted", action, value)
	}
	return err
}

// Run lets a live world flow for d, at the pace of the server. Call it within a synctest bubble.
func (w *World) Run(d time.Duration) {
	w.tb.Helper()
	live := w.live()
	for end := time.Now().Add(d); time.Now().Before(end); {
		next := time.Now().Add(time.Second / 15)
		if wake := live.Tick(time.Now()); wake.After(time.Now()) && wake.Before(next) {
			next = wake
		}
		<-time.After(time.Until(next))
	}
	live.Tick(time.Now())
}

func (w *World) live() page.Live {
	w.tb.Helper()
	live, ok := w.World.(page.Live)
	if !ok {
		w.tb.Fatal("no time flows in this world")
	}
	return live
}

// Fact returns a fact.
func (w *World) Fact(name string) page.Value {
	w.tb.Helper()
	v, ok := w.View().Facts[name]
	if !ok {
		w.tb.Fatalf("no fact %q", name)
	}
	return v
}

// Number returns a fact that is a number.
func (w *World) Number(name string) float64 {
	w.tb.Helper()
	n, err := strconv.ParseFloat(w.Fact(name).Number, 64)
	if err != nil {
		w.tb.Fatalf("fact %s is %q, no number", name, w.Fact(name).Number)
	}
	return n
}
