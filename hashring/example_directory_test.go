package hashring_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"

	"github.com/sysblocks/sysblocks/hashring"
)

// store is a database with the orders of its customers.
type store struct {
	name   string
	mu     sync.Mutex
	orders map[string][]string
}

func (s *store) add(customer, order string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[customer] = append(s.orders[customer], order)
}

// moveCustomer copies the rows; the directory has stopped the customer's writes meanwhile.
func moveCustomer(customer string) func(ctx context.Context, from, to *store) error {
	return func(_ context.Context, from, to *store) error {
		from.mu.Lock()
		rows := from.orders[customer]
		from.mu.Unlock()
		for _, row := range rows {
			to.add(customer, row)
		}
		return nil
	}
}

// A big customer gets a database of its own: everybody else stays on the ring, and no write is lost by the move.
func Example_bigCustomer() {
	newStore := func(name string) *store { return &store{name: name, orders: map[string][]string{}} }
	ring, err := hashring.New([]hashring.Node[*store]{
		{ID: "db-1", Value: newStore("db-1")}, {ID: "db-2", Value: newStore("db-2")},
	}, hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	dir := hashring.NewDirectory(ring.Get)
	ctx := context.Background()
	order := func(customer, id string) error {
		return dir.Write(ctx, customer, func(_ context.Context, db *store) error {
			db.add(customer, id)
			return nil
		})
	}
	for i := range 3 {
		if err := errors.Join(order("acme", fmt.Sprint("order-", i)), order("small", fmt.Sprint("order-", i))); err != nil {
			log.Fatal(err)
		}
	}
	acme := newStore("db-acme")
	err = dir.Move(ctx, "acme", acme, func(ctx context.Context, from, to *store) error {
		err := order("acme", "too soon") // refused while the customer moves
		fmt.Println("during the move:", errors.Is(err, hashring.ErrMigrating))
		return moveCustomer("acme")(ctx, from, to)
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := order("acme", "order-3"); err != nil {
		log.Fatal(err)
	}
	fmt.Println("acme:", acme.orders["acme"])
	other, _ := dir.Get("small")
	fmt.Println("small stays on", other.name)
	// Output:
	// during the move: true
	// acme: [order-0 order-1 order-2 order-3]
	// small stays on db-1
}
