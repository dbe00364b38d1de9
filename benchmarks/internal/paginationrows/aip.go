package paginationrows

import (
	aip "go.einride.tech/aip/pagination"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// aipPosition is our position as a page token of the caller's own, which
// einride/aip-go encodes as it does its offsets.
type aipPosition struct {
	Seconds, Nanos int64
	ID             int64
	Checksum       uint32
}

func aipEncode() harness.Contender {
	return harness.Contender{Name: "einride/aip-go", Setup: func() (harness.Op, func(), error) {
		p := aipPosition{when().Unix(), int64(when().Nanosecond()), id, 7}
		return func(n int) {
			for range n {
				if aip.EncodePageTokenStruct(&p) == "" {
					panic("encode")
				}
			}
		}, nil, nil
	}}
}

func aipDecode() harness.Contender {
	return harness.Contender{Name: "einride/aip-go", Setup: func() (harness.Op, func(), error) {
		token := aip.EncodePageTokenStruct(&aipPosition{when().Unix(), int64(when().Nanosecond()), id, 7})
		return func(n int) {
			for range n {
				var p aipPosition
				if err := aip.DecodePageTokenStruct(token, &p); err != nil || p.ID != id {
					panic("decode")
				}
			}
		}, nil, nil
	}}
}
