// Package sessionrows compares package session with other packages for HTTP sessions.
//
// One operation is one request: the middleware, a handler that does what the row says and writes four bytes, and a
// response writer that is a header map and a counter. All sessions hold the same three fields and a user, in the
// memory store of each package, with its defaults (gob for the peers, JSON for ours).
package sessionrows

import (
	"fmt"
	"net/http"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// sizes are those of the table, or small ones to see it work.
type sizes struct {
	sessions, increments int
}

// Rows returns the rows of session.
func Rows(quick bool) ([]harness.Row, error) {
	z := sizes{sessions: 1_000_000, increments: 20_000}
	if quick {
		z = sizes{sessions: 2000, increments: 200}
	}
	rows := requests(z)
	rows = append(rows, sealing()...)
	rows = append(rows, stores(z)...)
	rows = append(rows, databases(quick)...)
	return append(rows, backends()...), nil
}

// work is what the handler of a row does.
type work string

const (
	untouched  work = "the handler never asks for the session"
	readUserID work = "read the user"
	readData   work = "read the data"
	update     work = "change one field"
)

func requests(z sizes) []harness.Row {
	row := func(name string, ours harness.Contender, target, allocs float64, peers ...harness.Contender) harness.Row {
		return harness.Row{Workload: name, Ours: ours, Peers: peers, Target: harness.AtLeast(target), MaxAllocs: allocs}
	}
	return []harness.Row{
		row("NoCookie: no cookie, session unused", ourRequest(untouched, requestOptions{noCookie: true}), 3, 5,
			scsRequest(untouched, requestOptions{noCookie: true})),
		row("Untouched: cookie sent, session unused", ourRequest(untouched, requestOptions{}), 50, 5,
			scsRequest(untouched, requestOptions{})),
		row("ReadUserID", ourRequest(readUserID, requestOptions{}), 30, 6, scsRequest(readUserID, requestOptions{})),
		row("ReadData", ourRequest(readData, requestOptions{}), 10, harness.NoAllocLimit, scsRequest(readData, requestOptions{})),
		row("ReadData, sealed in the cookie", ourSealedRequest(readData), 5, harness.NoAllocLimit, gorillaRequest(readData)),
		row("ReadData, ours in memory against gorilla's CookieStore", ourRequest(readData, requestOptions{}), 5, harness.NoAllocLimit, gorillaRequest(readData)),
		row("Update: one field changed, committed", ourRequest(update, requestOptions{}), 7, 30, scsRequest(update, requestOptions{})),
		row("IdleRead: ReadUserID with an idle limit", ourRequest(readUserID, requestOptions{idle: true}), 40, 6,
			scsRequest(readUserID, requestOptions{idle: true})),
		row("ForgedFlood: made-up tokens", ourFlood(), 3, harness.NoAllocLimit, scsFlood()),
		{
			Workload: "ParallelUpdateSame: 64 goroutines increment one session, commits a second", Unit: "1/s",
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourParallelUpdates(z, true) }},
			Target: harness.Limit(100_000), HigherIsBetter: true, MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: "ParallelUpdateSame: share of the updates lost", Unit: "%",
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourParallelUpdates(z, false) }},
			Peers:  []harness.Contender{{Name: "scs", Value: func() (float64, error) { return scsLostUpdates(z) }}},
			Target: harness.Limit(0), MaxAllocs: harness.NoAllocLimit,
		},
	}
}

func sealing() []harness.Row {
	var rows []harness.Row
	for _, size := range []int{100, 1024, 3000} {
		target := harness.AtLeast(2)
		if size == 3000 {
			target = harness.Report()
		}
		rows = append(rows, harness.Row{
			Workload: fmt.Sprintf("SealOpen: JSON to cookie value and back, %d bytes", size),
			Ours:     ourSealOpen(size), Peers: []harness.Contender{gorillaSealOpen(size)}, Target: target, MaxAllocs: harness.NoAllocLimit,
		})
	}
	return append(rows,
		harness.Row{
			Workload: "Keyring.Seal and Open alone, 1024 bytes", Ours: ourKeyring(1024), Target: harness.Report(), MaxAllocs: 6,
		},
		harness.Row{
			Workload: "CookieCapacity: encoded data that fits into a cookie", Unit: "bytes", HigherIsBetter: true,
			Ours:  harness.Contender{Name: "ours", Value: ourCapacity},
			Peers: []harness.Contender{{Name: "securecookie", Value: gorillaCapacity}}, Target: harness.Limit(2930), MaxAllocs: harness.NoAllocLimit,
		})
}

func stores(z sizes) []harness.Row {
	return []harness.Row{
		{
			Workload: "Footprint: heap for a session of 200 bytes, ours with user index", Unit: "bytes",
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourFootprint(min(z.sessions, 200_000)) }},
			Peers:  []harness.Contender{{Name: "scs memstore", Value: func() (float64, error) { return scsFootprint(min(z.sessions, 200_000)) }}},
			Target: harness.Limit(360), MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: fmt.Sprintf("Stall: longest Load or Save while %d sessions are swept", z.sessions), Unit: "ms",
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourStall(z.sessions) }},
			Peers:  []harness.Contender{{Name: "scs memstore", Value: func() (float64, error) { return scsStall(z.sessions) }}},
			Target: harness.AtLeast(100), MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: fmt.Sprintf("Stall: the same, as a bound, of %d sessions", z.sessions), Unit: "ms",
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourStall(z.sessions) }},
			Target: harness.Limit(1), MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: fmt.Sprintf("ParallelRead: %d sessions, two processors against twice one", z.sessions), Unit: "of linear", HigherIsBetter: true,
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourScaling(z.sessions, 50_000) }},
			Peers:  []harness.Contender{{Name: "scs", Value: func() (float64, error) { return scsScaling(z.sessions, 50_000) }}},
			Target: harness.Limit(0.85), MaxAllocs: harness.NoAllocLimit,
		},
		{
			Workload: fmt.Sprintf("ParallelRead: all on one of %d sessions, two processors against twice one", z.sessions), Unit: "of linear", HigherIsBetter: true,
			Ours:   harness.Contender{Name: "ours", Value: func() (float64, error) { return ourScaling(z.sessions, 1) }},
			Peers:  []harness.Contender{{Name: "scs", Value: func() (float64, error) { return scsScaling(z.sessions, 1) }}},
			Target: harness.Limit(0.8), MaxAllocs: harness.NoAllocLimit,
		},
	}
}

// requestOptions vary a row.
type requestOptions struct {
	noCookie bool
	idle     bool
}

// sink is the fake response writer.
type sink struct {
	h http.Header
	n int
}

func newSink() *sink { return &sink{h: http.Header{}} }

func (s *sink) Header() http.Header { return s.h }
func (s *sink) WriteHeader(int)     {}
func (s *sink) Write(p []byte) (int, error) {
	s.n += len(p)
	return len(p), nil
}

// serve is the loop of every request row.
func serve(h http.Handler, r *http.Request) harness.Op {
	w := newSink()
	return func(n int) {
		for range n {
			clear(w.h)
			h.ServeHTTP(w, r)
		}
	}
}

// page is the body of every answer, made once: nobody pays for it.
func page() func(w http.ResponseWriter) {
	body := []byte("page")
	return func(w http.ResponseWriter) { _, _ = w.Write(body) }
}
