package hlc

import (
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

func TestClockNeverGoesBack(t *testing.T) {
	c := New("n")
	last := c.Next().Time
	for range 1000 {
		now := c.Next().Time
		if now <= last {
			t.Fatalf("%d after %d", now, last)
		}
		last = now
	}
	c.Observe(storage.Stamp{Time: last + 1e18}) // a node whose clock is far ahead
	if now := c.Next().Time; now <= last+1e18 {
		t.Errorf("%d is before what was seen", now)
	}
	c.Observe(storage.Stamp{Time: 1})
	if now := c.Next().Time; now <= last+1e18 {
		t.Errorf("%d: an old stamp set the clock back", now)
	}
}
