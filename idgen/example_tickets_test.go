package idgen_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
)

// ticketServer is a counter that can be switched off.
type ticketServer struct {
	idgen.MemoryCounter
	down bool
}

func (s *ticketServer) Reserve(ctx context.Context, n int64) (int64, error) {
	if s.down {
		return 0, errors.New("connection refused")
	}
	return s.MemoryCounter.Reserve(ctx, n)
}

// A pair of ticket servers, one of odd and one of even numbers, keeps numbering while one is down.
func ExampleNewTickets() {
	ctx := context.Background()
	odd, even := &ticketServer{}, &ticketServer{}
	gen, err := idgen.NewTickets([]idgen.Counter{odd, even}, idgen.TicketsOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	draw := func(n int) {
		var ids []idgen.ID
		for range n {
			id, err := gen.Next(ctx)
			if err != nil {
				fmt.Println(err)
				return
			}
			ids = append(ids, id)
		}
		fmt.Println(ids)
	}
	draw(4)
	even.down = true
	draw(4)
	odd.down = true
	_, err = gen.Next(ctx)
	fmt.Println(err)
	// Output:
	// [2 1 4 3]
	// [5 7 9 11]
	// connection refused
	// connection refused
}
