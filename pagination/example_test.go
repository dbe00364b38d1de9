package pagination_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"

	"github.com/sysblocks/sysblocks/pagination"
)

type Car struct {
	ID    int64
	Maker string
	Seats int
	Sold  *int // year
}

func cars() []Car {
	return []Car{
		{1, "Volvo", 5, new(2019)},
		{2, "Audi", 5, nil},
		{3, "Saab", 2, new(2021)},
		{4, "Audi", 7, new(2020)},
		{5, "Volvo", 7, nil},
	}
}

func carOrder(sort string) *pagination.Order[Car] {
	order, err := pagination.NewOrder(sort,
		pagination.ID("id", func(c *Car) int64 { return c.ID }),
		pagination.By("maker", func(c *Car) string { return c.Maker }),
		pagination.By("seats", func(c *Car) int { return c.Seats }),
		pagination.ByNull("sold", pagination.NullsLast, func(c *Car) *int { return c.Sold }))
	if err != nil {
		log.Fatal(err)
	}
	return order
}

func ExampleNew() {
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder("maker"), pagination.Options[Car]{Limit: 2})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	for token := ""; ; {
		page, err := pager.Page(ctx, pagination.Request{Token: token})
		if err != nil {
			log.Fatal(err)
		}
		for _, c := range page.Items {
			fmt.Println(c.Maker, c.ID)
		}
		fmt.Println("--")
		if token = page.Next; token == "" {
			break
		}
	}
	// Output:
	// Audi 2
	// Audi 4
	// --
	// Saab 3
	// Volvo 1
	// --
	// Volvo 5
	// --
}

func ExampleOrder_Sort() {
	order := carOrder("")
	sorted, err := order.Sort("-sold,maker")
	fmt.Println(sorted, err)
	_, err = order.Sort("colour")
	fmt.Println(err)
	// Output:
	// -sold,+maker,+id <nil>
	// pagination: bad sort: unknown key "colour" (parameter "colour")
}

func ExamplePager_Filter() {
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder("-sold"), pagination.Options[Car]{
		Sort: []string{"seats"}, Filter: []string{"seats"}, Count: pagination.CountExact,
	})
	if err != nil {
		log.Fatal(err)
	}
	few, err := pager.Filter("seats", pagination.Le, "5") // the text comes from a request
	if err != nil {
		log.Fatal(err)
	}
	page, err := pager.Page(context.Background(), pagination.Request{Filters: []pagination.Filter{few}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(page.Count.N, page.Items[0].Maker, page.Items[2].Maker)
	_, err = pager.Filter("maker", pagination.Eq, "Audi")
	fmt.Println(errors.Is(err, pagination.ErrFilter))
	// Output:
	// 3 Saab Audi
	// true
}

func ExampleNewCodec() {
	key := slices.Repeat([]byte{7}, 32) // from your secret store
	tokens, err := pagination.NewCodec(pagination.CodecOptions{Keys: [][]byte{key}})
	if err != nil {
		log.Fatal(err)
	}
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder("maker"), pagination.Options[Car]{Limit: 2, Codec: tokens})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	page, err := pager.Page(ctx, pagination.Request{Principal: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	_, err = pager.Page(ctx, pagination.Request{Principal: "bob", Token: page.Next})
	fmt.Println(errors.Is(err, pagination.ErrTokenScope), err)
	// Output:
	// true pagination: the token belongs to another resource, order, filter or principal (parameter "cursor")
}

func ExamplePager_All() {
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder("-seats"), pagination.Options[Car]{})
	if err != nil {
		log.Fatal(err)
	}
	for car, err := range pager.All(context.Background(), pagination.Request{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(car.ID, car.Seats)
	}
	// Output:
	// 5 7
	// 4 7
	// 2 5
	// 1 5
	// 3 2
}

func ExamplePage_Cursor() {
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder(""), pagination.Options[Car]{})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	page, err := pager.Page(ctx, pagination.Request{})
	if err != nil {
		log.Fatal(err)
	}
	second, err := page.Cursor(1)
	if err != nil {
		log.Fatal(err)
	}
	last, err := page.Cursor(4)
	if err != nil {
		log.Fatal(err)
	}
	window, err := pager.Page(ctx, pagination.Request{After: second, Before: last})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(window.Items[0].ID, window.Items[1].ID, len(window.Items))
	// Output:
	// 3 4 2
}

func ExampleNewConnection() {
	pager, err := pagination.New(pagination.NewSlice(cars()), carOrder(""), pagination.Options[Car]{Limit: 1})
	if err != nil {
		log.Fatal(err)
	}
	page, err := pager.Page(context.Background(), pagination.Request{})
	if err != nil {
		log.Fatal(err)
	}
	connection, err := pagination.NewConnection(page)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(connection.Edges[0].Node.Maker, connection.PageInfo.HasNextPage)
	// Output:
	// Volvo true
}

func ExampleSourceFunc() {
	all := pagination.NewSlice(cars())
	logged := pagination.SourceFunc[Car](func(ctx context.Context, r pagination.Range[Car]) ([]Car, error) {
		fmt.Println("at most", r.Limit, "rows in the order", r.Order)
		return all.Fetch(ctx, r)
	})
	pager, err := pagination.New(logged, carOrder("maker"), pagination.Options[Car]{Limit: 3})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := pager.Page(context.Background(), pagination.Request{}); err != nil {
		log.Fatal(err)
	}
	// Output:
	// at most 4 rows in the order +maker,+id
}
