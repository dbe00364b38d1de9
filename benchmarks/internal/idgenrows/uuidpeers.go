package idgenrows

import (
	gofrs "github.com/gofrs/uuid/v5"
	google "github.com/google/uuid"
	"github.com/oklog/ulid/v2"
	"github.com/rs/xid"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// googleV7 switches the pool, which is global in that package, for each batch.
func googleV7(pool bool, run loop) harness.Contender {
	name := "google/uuid"
	if pool {
		name += " pooled"
	}
	return harness.Contender{Name: name, Setup: func() (harness.Op, func(), error) {
		op := run(func() error { _, err := google.NewV7(); return err })
		if !pool {
			return op, nil, nil
		}
		return func(n int) {
			google.EnableRandPool()
			op(n)
			google.DisableRandPool()
		}, nil, nil
	}}
}

func gofrsV7(run loop) harness.Contender {
	return contender("gofrs/uuid", run, func() error { _, err := gofrs.NewV7(); return err })
}

func oklogMake(run loop) harness.Contender {
	return contender("oklog/ulid", run, func() error { ulid.Make(); return nil })
}

func xidNew(run loop) harness.Contender {
	return contender("rs/xid", run, func() error { xid.New(); return nil })
}
