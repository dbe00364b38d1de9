package idgen

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The usual floor(2^64/d)+1 is early just before tick edges at large readings; ours must be exact up to 2^62.
func TestReciprocalIsExactAtEveryTickEdge(t *testing.T) {
	units := []time.Duration{time.Microsecond, time.Microsecond + 1, time.Millisecond, 10 * time.Millisecond, 1<<20 - 1, 1 << 20, 1<<20 + 1, time.Second, 24 * time.Hour}
	for range 200 {
		units = append(units, max(time.Microsecond, time.Duration(rand.Int64N(int64(24*time.Hour)))>>rand.IntN(36)))
	}
	for _, unit := range units {
		var c clock
		c.start(Layout{Unit: unit}.full())
		c.tick0 = 0
		u := int64(unit)
		top := (int64(1)<<62 - 1) / u
		for range 500 {
			q := rand.Int64N(top) >> rand.IntN(40)
			for _, d := range []int64{q * u, q*u + u - 1, q*u + rand.Int64N(u), top*u - 1, top * u, 1<<62 - 1, 1 << 62} {
				require.Equal(t, d/u, c.tickAt(d), "unit %d reading %d", u, d)
			}
		}
		require.Equal(t, int64(-1), c.tickAt(-1))
		require.Equal(t, int64(-1), c.tickAt(-u))
		require.Equal(t, int64(-2), c.tickAt(-u-1))
	}
}

func TestClockAgreesWithLayoutForAnyEpoch(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		l := anyLayout(r)
		var c clock
		c.start(l)
		d := c.rem + r.Int64N(int64(time.Hour))
		want, rem := l.tickOf(c.wall(d))
		require.Equal(t, want, c.tickAt(d), "%+v", l)
		require.Equal(t, d-rem, c.startOf(want))
	}
}
