package idgenrows

import (
	"time"

	"github.com/sony/sonyflake/v2"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func newSonyflake(sequence, machine int, unit time.Duration) (*sonyflake.Sonyflake, error) {
	return sonyflake.New(sonyflake.Settings{
		BitsSequence: sequence, BitsMachineID: machine, TimeUnit: unit,
		MachineID: func() (int, error) { return 0, nil },
	})
}

// sonyflakeNext has 24 sequence bits of 1 ms: no cap in reach.
func sonyflakeNext(run loop) harness.Contender {
	return harness.Contender{Name: "sonyflake v2", Setup: func() (harness.Op, func(), error) {
		s, err := newSonyflake(24, 1, time.Millisecond)
		if err != nil {
			return nil, nil, err
		}
		return run(func() error { _, err := s.NextID(); return err }), nil, nil
	}}
}
