package cluster

import (
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

func version(key string, time uint64, size int) storage.Entry {
	return storage.Entry{Key: key, Stamp: storage.Stamp{Time: time, Node: "n"}, Value: make([]byte, size)}
}

func TestOnlyTheNewestHintOfAKeyIsKept(t *testing.T) {
	var h hints
	h.keep("a", version("k", 2, 10))
	h.keep("a", version("k", 1, 10))
	h.keep("b", version("k", 1, 10))
	h.keep("a", version("k", 3, 20))
	if got := h.waiting()["a"]; h.len() != 2 || len(got) != 1 || got[0].Stamp.Time != 3 {
		t.Errorf("kept %d, for a %v", h.len(), got)
	}
	h.remove("a", version("k", 2, 10), true) // delivered while a newer one came in
	if h.len() != 2 {
		t.Error("the newer hint is gone")
	}
	h.remove("a", version("k", 3, 20), true)
	h.remove("b", version("k", 1, 10), false)
	if hinted, delivered, dropped := h.counts(); h.len() != 0 || h.bytes != 0 || hinted != 3 || delivered != 2 || dropped != 0 {
		t.Errorf("len %d, bytes %d, counts %d %d %d", h.len(), h.bytes, hinted, delivered, dropped)
	}
}

func TestHintsAreBounded(t *testing.T) {
	var h hints
	for i := range uint64(100) {
		h.keep("a", version(string(rune('A'+i)), 1, 1<<20))
	}
	if _, _, dropped := h.counts(); h.bytes > hintRoom || dropped == 0 || h.len() != int(100-dropped) {
		t.Errorf("%d bytes, %d kept, %d dropped", h.bytes, h.len(), dropped)
	}
}

func TestClockNeverGoesBack(t *testing.T) {
	var c clock
	last := c.next()
	for range 1000 {
		now := c.next()
		if now <= last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
	c.observe(last + 1e18) // a node whose clock is far ahead
	if now := c.next(); now <= last+1e18 {
		t.Errorf("%d is before what was seen", now)
	}
	c.observe(1)
	if now := c.next(); now <= last+1e18 {
		t.Errorf("%d: an old stamp set the clock back", now)
	}
}
