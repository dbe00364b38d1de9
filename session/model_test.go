package session_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// modelSession is what the naive model knows of one session.
type modelSession struct {
	user     string
	n        int
	lastSeen time.Time // last request that called Get
	touched  time.Time // what the store knows
	deadline time.Time
	idle     time.Duration // 0 = no limit
	ended    bool
}

// alive by the promise: certainly until the touch interval before the idle limit, certainly not after the limit.
func (s *modelSession) alive(now time.Time) (must, may bool) {
	if s == nil || s.ended || !now.Before(s.deadline) {
		return false, false
	}
	if s.idle == 0 {
		return true, true
	}
	period := min(s.idle/10, time.Minute)
	return now.Before(s.lastSeen.Add(s.idle - period)), now.Before(s.lastSeen.Add(s.idle))
}

// exact is what the documented touch rule gives.
func (s *modelSession) exact(now time.Time) bool {
	return s != nil && !s.ended && now.Before(s.deadline) && (s.idle == 0 || now.Before(s.touched.Add(s.idle)))
}

// Random programs of three browsers against the model, to the second.
func TestManagerModel(t *testing.T) {
	for range 60 {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { runModel(t, seed) })
		if t.Failed() {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	idle := []time.Duration{-1, time.Minute, 10 * time.Minute, 30 * time.Minute}[rng.IntN(4)]
	absolute := []time.Duration{time.Hour, 3 * time.Hour}[rng.IntN(2)]
	s := newSite(t, session.Options{IdleTimeout: idle, AbsoluteTimeout: absolute}, nil)
	var browsers [3]*browser
	var models [3]*modelSession
	for i := range browsers {
		browsers[i] = s.browser()
	}
	touches := 0
	var program []string
	for range 120 {
		i := rng.IntN(3)
		step, now := rng.IntN(12), time.Now()
		program = append(program, fmt.Sprintf("%s: browser %d does %d", now.Format(time.TimeOnly), i, step))
		if step < 4 { // time passes
			<-time.After(time.Duration(rng.IntN(int(max(idle, time.Minute)/time.Second)*2/3)) * time.Second)
			continue
		}
		if models[i] != nil && !models[i].exact(now) {
			models[i] = nil
		} else if m := models[i]; m != nil && m.idle > 0 {
			// The touch of the first Get of a request.
			target, known := minTime(now.Add(m.idle), m.deadline), minTime(m.touched.Add(m.idle), m.deadline)
			if target.Sub(known) >= min(m.idle/10, time.Minute) && target.After(known) {
				m.touched = now
				touches++
			}
		}
		models[i] = modelStep(s, browsers[i], models[i], step, rng, idle, absolute)
		if m := models[i]; m != nil {
			m.lastSeen = now
		}
		user, n := "", 0
		if models[i] != nil {
			user, n = models[i].user, models[i].n
		}
		if gotUser, gotN := browsers[i].state(); gotUser != user || gotN != n {
			t.Errorf("user %q with %d, want %q with %d", gotUser, gotN, user, n)
		}
		must, may := models[i].alive(time.Now())
		if exact := models[i].exact(time.Now()); must && !exact || exact && !may {
			t.Errorf("alive %v, must %v, may %v", exact, must, may)
		}
		if got := s.store.Calls("Touch"); got != touches {
			t.Errorf("%d touches, want %d", got, touches)
		}
		if t.Failed() {
			for _, line := range program {
				t.Log(line)
			}
			t.Fatalf("seed %d, idle %v, absolute %v", seed, idle, absolute)
		}
	}
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// modelStep does one thing in the browser and in the model.
func modelStep(s *site, b *browser, m *modelSession, step int, rng *rand.Rand, idle, absolute time.Duration) *modelSession {
	now := time.Now()
	create := func() *modelSession {
		return &modelSession{deadline: now.Add(absolute), idle: max(idle, 0)}
	}
	switch {
	case step < 7:
		b.increment()
		if m == nil {
			m = create()
		}
		m.n++
		m.touched = now
	case step < 9:
		user := []string{"ann", "bob"}[rng.IntN(2)]
		b.login(user)
		if m == nil {
			m = create()
		}
		if m.user != "" && m.user != user {
			m.n = 0
		}
		m.user, m.deadline, m.touched = user, now.Add(absolute), now
	case step < 10:
		b.logout()
		m = nil
	case step < 11:
		b.get(func(got *session.Session[Data], r *http.Request) { s.must(got.Renew(r.Context())) })
		if m != nil {
			m.touched = now
		}
	default:
		b.get(nothing)
	}
	return m
}
