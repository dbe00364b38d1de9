package paginationrows

import (
	"bytes"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/pagination"
)

type mode bool

const (
	plain  mode = false
	sealed mode = true
)

func codec(m mode) (*pagination.Codec, error) {
	if m == plain {
		return pagination.NewCodec(pagination.CodecOptions{})
	}
	return pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}})
}

// when and id are the position: microseconds, as PostgreSQL stores them.
func when() time.Time { return time.Date(2026, 11, 24, 5, 44, 6, 123456000, time.UTC) }

const id = int64(123456789)

func scope() pagination.Scope {
	return pagination.Scope{Resource: "/posts", Order: "-created_at,-id"}
}

func cursor() pagination.Cursor {
	return pagination.Cursor{Start: pagination.Gap{
		Key: []pagination.Value{pagination.TimeValue(when()), pagination.IntValue(id)}, After: true,
	}}
}

func ourEncode(m mode) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		c, err := codec(m)
		cur, s := cursor(), scope()
		return func(n int) {
			for range n {
				if _, err := c.Encode(cur, s); err != nil {
					panic(err)
				}
			}
		}, nil, err
	}}
}

func ourDecode(m mode) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		c, err := codec(m)
		if err != nil {
			return nil, nil, err
		}
		s := scope()
		token, err := c.Encode(cursor(), s)
		kinds := []pagination.Kind{pagination.KindTime, pagination.KindInt}
		return func(n int) {
			for range n {
				cur, err := c.Decode(token, kinds, s)
				if err != nil || len(cur.Start.Key) != 2 {
					panic("decode")
				}
			}
		}, nil, err
	}}
}

// ourRefuse decodes a token whose last byte was changed.
func ourRefuse(m mode) harness.Contender {
	return harness.Contender{Name: "ours", Setup: func() (harness.Op, func(), error) {
		c, err := codec(m)
		if err != nil {
			return nil, nil, err
		}
		s := scope()
		token, err := c.Encode(cursor(), s)
		bad := token[:len(token)-4] + "____"
		kinds := []pagination.Kind{pagination.KindTime, pagination.KindInt}
		return func(n int) {
			for range n {
				if _, err := c.Decode(bad, kinds, s); err == nil {
					panic("accepted")
				}
			}
		}, nil, err
	}}
}

func ourLength(m mode) harness.Contender {
	return harness.Contender{Name: "ours", Value: func() (float64, error) {
		c, err := codec(m)
		if err != nil {
			return 0, err
		}
		token, err := c.Encode(cursor(), scope())
		return float64(len(token)), err
	}}
}
