package session

import (
	"testing"
	"time"
)

// A clock that was ahead issued it: more than five minutes are no longer skew.
func TestSealedSessionFromTheFutureIsRefused(t *testing.T) {
	m, err := NewClientSide[Values](testRing(t, 1), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ahead time.Duration
		want  verdict
	}{{4 * time.Minute, verdictGood}, {6 * time.Minute, verdictUnknown}} {
		s := &Session[Values]{m: m, ctx: t.Context()}
		if err := s.Login(t.Context(), "ann", LoginOptions{}); err != nil {
			t.Fatal(err)
		}
		s.base.env.saved += c.ahead.Milliseconds()
		got := m.unseal(t.Context(), &Session[Values]{m: m}, s.Token(), 0, now())
		if got != c.want {
			t.Errorf("issued %v ahead: verdict %d, want %d", c.ahead, got, c.want)
		}
	}
}
