package ratelimit_test

import (
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/internal/integration/clients"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

// TestOtherClientsFitWithAFewLines runs the adapters that the documentation shows.
func TestOtherClientsFitWithAFewLines(t *testing.T) {
	for name, do := range clients.All(t, servers.Redis(t).Addr) {
		t.Run(name, func(t *testing.T) {
			l, err := redislimit.New(do, []ratelimit.Limit{quota(3), ratelimit.PerSecond(300_000).WithBurst(100)},
				redislimit.Options{Prefix: name, Timeout: 2 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				if d := mustTake(t, l, "k", 1); d.OK != (i < 3) || d.Remaining != int64(max(0, 2-i)) {
					t.Errorf("call %d: %+v", i, d)
				}
			}
			if err := l.Remove(t.Context(), "k"); err != nil {
				t.Fatal(err)
			}
			if d := mustTake(t, l, "k", 3); !d.OK {
				t.Errorf("after Remove: %+v", d)
			}
		})
	}
}
