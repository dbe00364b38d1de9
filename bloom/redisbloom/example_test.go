package redisbloom_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/bloom/redisbloom"
)

// A tiny server stands in for a client here: with go-redis, pass rdb.Do.
func ExampleNew() {
	ctx := context.Background()
	server := &tiny{bits: map[string]int64{}}
	users, err := redisbloom.New(ctx, server.Do, "users", 1_000_000, 0.01, redisbloom.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		present, err := users.TestAndAdd(ctx, bloom.String("ada"))
		if err != nil { // an error is never an answer
			fmt.Println(err)
			return
		}
		fmt.Println("ada is taken:", present)
	}
	fmt.Println("round trips:", server.commands)
	// Output:
	// ada is taken: false
	// ada is taken: true
	// round trips: 3
}

// tiny answers SETNX and the bits of BITFIELD.
type tiny struct {
	bits     map[string]int64
	commands int
}

type tinyReply struct{ value any }

func (r tinyReply) Result() (any, error) { return r.value, nil }

func (s *tiny) Do(_ context.Context, args ...any) tinyReply {
	s.commands++
	if args[0] == "SETNX" {
		return tinyReply{int64(1)}
	}
	var old []any
	for i := 2; i < len(args); i += 4 { // SET u1 offset 1
		bit := fmt.Sprint(args[1], args[i+2])
		old = append(old, s.bits[bit])
		s.bits[bit] = 1
	}
	return tinyReply{old}
}
