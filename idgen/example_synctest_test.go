package idgen_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

// How a service tests code that depends on the time in its IDs: a synctest bubble, and a sleep to a date after the epoch.
func TestUnderFakeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)))
		gen, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		a, err := gen.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(24 * time.Hour)
		b, err := gen.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if d := gen.Layout().Time(b).Sub(gen.Layout().Time(a)); d != 24*time.Hour {
			t.Fatalf("the IDs are %v apart", d)
		}
	})
}
