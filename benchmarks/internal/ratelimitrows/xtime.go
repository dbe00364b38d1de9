package ratelimitrows

import (
	"context"
	"strconv"
	"sync"

	"golang.org/x/time/rate"
)

func xtimeOpen() *rate.Limiter { return rate.NewLimiter(1e9, 1<<30) }

func xtimeShut() *rate.Limiter {
	l := rate.NewLimiter(1e-9, 1)
	l.Allow()
	return l
}

// xtimeThree checks three limiters in turn, which gives nothing back when a later one denies.
func xtimeThree() func() {
	a, b, c := xtimeOpen(), xtimeOpen(), xtimeOpen()
	return func() { _ = a.Allow() && b.Allow() && c.Allow() }
}

// xtimeMap is what services write.
func xtimeMap() (func(string), error) {
	var m sync.Map
	return func(key string) { xtimeOf(&m, key).Allow() }, nil
}

func xtimeOf(m *sync.Map, key string) *rate.Limiter {
	v, ok := m.Load(key)
	if !ok {
		v, _ = m.LoadOrStore(key, rate.NewLimiter(keyedTokens/60.0, keyedTokens))
	}
	return v.(*rate.Limiter)
}

func xtimeFill(n int) (any, error) {
	m := &sync.Map{}
	for i := range n {
		xtimeOf(m, strconv.Itoa(i)).Allow()
	}
	return m, nil
}

func xtimeWait() func(context.Context) error { return rate.NewLimiter(stormRate, 1).Wait }
