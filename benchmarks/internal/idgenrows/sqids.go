package idgenrows

import (
	"github.com/sqids/sqids-go"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func sqidsEncode() harness.Contender {
	return harness.Contender{Name: "sqids-go", Setup: func() (harness.Op, func(), error) {
		s, err := sqids.New()
		if err != nil {
			return nil, nil, err
		}
		return serial(func() error { _, err := s.Encode([]uint64{uint64(sample)}); return err }), nil, nil
	}}
}

func sqidsDecode() harness.Contender {
	return harness.Contender{Name: "sqids-go", Setup: func() (harness.Op, func(), error) {
		s, err := sqids.New()
		if err != nil {
			return nil, nil, err
		}
		text, err := s.Encode([]uint64{uint64(sample)})
		if err != nil {
			return nil, nil, err
		}
		return serial(func() error { _ = s.Decode(text); return nil }), nil, nil
	}}
}
