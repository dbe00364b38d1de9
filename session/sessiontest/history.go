package sessiontest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// A call is one entry of a history: what was asked, what was answered, and the span of a logical clock in which it
// took effect.
type call struct {
	op         string
	version    uint64 // Save: asked; Load: answered
	value      uint32 // payload
	expires    int64  // Save, Touch: asked; Load: answered
	err        error  // nil, ErrNotFound or ErrConflict
	start, end int64
}

func (c call) String() string {
	return fmt.Sprintf("[%d,%d] %s version %d value %d expires +%d: %v", c.start, c.end, c.op, c.version, c.value, c.expires, c.err)
}

// model is the sequential store for one ID.
type model struct {
	alive    bool
	version  uint64
	value    uint32
	expires  int64
	deadline int64
}

// step applies a call; false if a sequential store would not have answered so.
func (m model) step(c call) (model, bool) {
	switch c.op {
	case "load":
		if !m.alive {
			return m, c.err == session.ErrNotFound //nolint:errorlint // normalised by classify
		}
		return m, c.err == nil && c.version == m.version && c.value == m.value && c.expires == m.expires
	case "save":
		switch {
		case !m.alive:
			return m, c.err == session.ErrNotFound //nolint:errorlint // as above
		case c.version != m.version:
			return m, c.err == session.ErrConflict //nolint:errorlint // as above
		}
		m.version++
		m.value, m.expires = c.value, c.expires
		return m, c.err == nil
	case "touch":
		if !m.alive {
			return m, c.err == session.ErrNotFound //nolint:errorlint // as above
		}
		m.expires = max(m.expires, min(c.expires, m.deadline))
		return m, c.err == nil
	default:
		m.alive = false
		return m, c.err == nil
	}
}

// linearizable searches an order of the calls that respects their spans and that the model answers alike. At most
// 64 calls.
func linearizable(start model, calls []call) bool {
	slices.SortFunc(calls, func(a, b call) int { return int(a.start - b.start) })
	type node struct {
		done  uint64
		state model
	}
	seen := map[node]bool{}
	var search func(n node) bool
	search = func(n node) bool {
		if n.done == 1<<len(calls)-1 {
			return true
		}
		if seen[n] {
			return false
		}
		seen[n] = true
		// A call may come next if none of the others ended before it began.
		first := int64(1) << 62
		for i, c := range calls {
			if n.done>>i&1 == 0 {
				first = min(first, c.end)
			}
		}
		for i, c := range calls {
			if c.start > first {
				break
			}
			if n.done>>i&1 == 1 {
				continue
			}
			if state, ok := n.state.step(c); ok && search(node{n.done | 1<<i, state}) {
				return true
			}
		}
		return false
	}
	return search(node{0, start})
}

const (
	historyWorkers = 8
	historyIDs     = 24
	historyCalls   = 56 // per ID
)

// historiesAreLinearizable runs eight goroutines on one ID after the other, each with its own idea of the version.
func historiesAreLinearizable(t *testing.T, s session.Store) {
	t.Helper()
	seed := rand.Uint64()
	for i := range historyIDs {
		calls, start := runHistory(t, s, rand.New(rand.NewPCG(seed, uint64(i))))
		if t.Failed() {
			return
		}
		if linearizable(start, calls) {
			continue
		}
		var text strings.Builder
		for _, c := range calls {
			fmt.Fprintln(&text, c)
		}
		t.Fatalf("seed %d: no sequential order explains\n%s", seed, text.String())
	}
}

func runHistory(t *testing.T, s session.Store, rng *rand.Rand) ([]call, model) {
	t.Helper()
	first := fresh("u", binary.LittleEndian.AppendUint32(nil, 0))
	base := save(t, s, first)
	var clock atomic.Int64
	var wg sync.WaitGroup
	histories := make([][]call, historyWorkers)
	begin := make(chan struct{})
	for w := range historyWorkers {
		mine := rand.New(rand.NewPCG(rng.Uint64(), rng.Uint64()))
		wg.Go(func() {
			<-begin
			known := base
			for i := range historyCalls / historyWorkers {
				c := oneCall(t, s, &known, mine, uint32(1+w*100+i), base, &clock)
				c.expires -= base.ExpiresAt.UnixMilli()
				histories[w] = append(histories[w], c)
			}
		})
	}
	close(begin)
	wg.Wait()
	return slices.Concat(histories...), model{
		alive: true, version: 1, deadline: base.Deadline.Sub(base.ExpiresAt).Milliseconds(),
	}
}

func oneCall(t *testing.T, s session.Store, known *session.Record, rng *rand.Rand, value uint32, base session.Record, clock *atomic.Int64) (c call) {
	t.Helper()
	ctx := t.Context()
	expires := base.ExpiresAt.Add(time.Duration(rng.IntN(90)) * time.Minute)
	c.start = clock.Add(1)
	var err error
	switch p := rng.IntN(100); {
	case p < 40:
		c.op = "load"
		var rec session.Record
		if rec, err = s.Load(ctx, base.ID); err == nil {
			*known = rec
			c.version, c.expires = rec.Version, rec.ExpiresAt.UnixMilli()
			if len(rec.Payload) == 4 {
				c.value = binary.LittleEndian.Uint32(rec.Payload)
			}
		}
	case p < 75:
		c.op = "save"
		rec := *known
		rec.Payload = binary.LittleEndian.AppendUint32(nil, value)
		rec.ExpiresAt = expires
		if expires.After(rec.Deadline) {
			rec.ExpiresAt = rec.Deadline
		}
		c.version, c.value, c.expires = rec.Version, value, rec.ExpiresAt.UnixMilli()
		if err = s.Save(ctx, rec); err == nil {
			known.Version = rec.Version + 1
		}
	case p < 97:
		c.op, c.expires = "touch", expires.UnixMilli()
		err = s.Touch(ctx, base.ID, expires)
	default:
		c.op = "remove"
		err = s.Remove(ctx, base.ID)
	}
	c.end = clock.Add(1)
	c.err = classify(t, c.op, err)
	return c
}

// classify maps an error to the bare one of the contract, so that histories compare.
func classify(t *testing.T, op string, err error) error {
	t.Helper()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, session.ErrNotFound):
		return session.ErrNotFound
	case errors.Is(err, session.ErrConflict):
		return session.ErrConflict
	}
	t.Errorf("%s: %v", op, err)
	return err
}

// oneOfManyCreates: of eight saves of version 0, one succeeds.
func oneOfManyCreates(t *testing.T, s session.Store) {
	t.Helper()
	for range historyIDs {
		rec := fresh("u", nil)
		var created atomic.Int32
		var winner atomic.Uint32
		var wg sync.WaitGroup
		for w := range uint32(historyWorkers) {
			wg.Go(func() {
				mine := rec
				mine.Payload = binary.LittleEndian.AppendUint32(nil, w)
				switch err := s.Save(t.Context(), mine); {
				case err == nil:
					created.Add(1)
					winner.Store(w)
				case !errors.Is(err, session.ErrConflict):
					t.Errorf("Save: %v", err)
				}
			})
		}
		wg.Wait()
		if n := created.Load(); n != 1 {
			t.Fatalf("%d of %d saves of version 0 succeeded, want 1", n, historyWorkers)
		}
		rec.Version, rec.Payload = 1, binary.LittleEndian.AppendUint32(nil, winner.Load())
		wantRecord(t, load(t, s, rec.ID), rec)
	}
}
