package uuid_test

import (
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/idgen/uuid"
)

func ExampleNewV7() {
	a, b := uuid.NewV7(), uuid.NewV7()
	fmt.Println(a.Compare(b), a.Version())
	// Output: -1 7
}

func ExampleNewV4() {
	fmt.Println(uuid.NewV4().Version())
	// Output: 4
}

func ExampleFillV7() {
	ids := make([]uuid.UUID, 1000)
	uuid.FillV7(ids)
	fmt.Println(ids[0].Compare(ids[999]))
	// Output: -1
}

func ExampleParse() {
	u, err := uuid.Parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F")
	if err != nil {
		fmt.Println(err)
		return
	}
	at, _ := u.Time()
	fmt.Println(u, at)
	_, err = uuid.Parse("{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}")
	fmt.Println(err != nil)
	// Output:
	// 017f22e2-79b0-7cc3-98c4-dc0c0c07398f 2022-02-22 19:22:22 +0000 UTC
	// true
}

func ExampleUUID_TypeID() {
	u, err := uuid.Parse("01890a5d-ac96-774b-bcce-b302099a8057")
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := u.TypeID("order")
	if err != nil {
		fmt.Println(err)
		return
	}
	back, err := uuid.ParseTypeID(s, "order")
	fmt.Println(s, back == u, err)
	_, err = uuid.ParseTypeID(s, "user")
	fmt.Println(err)
	// Output:
	// order_01h455vb4pex5vsknk084sn02q true <nil>
	// uuid: malformed identifier: "order_01h455vb4pex5vsknk084sn02q" does not have the prefix "user"
}

func ExampleULID() {
	l, err := uuid.ParseULID("01ARYZ6S41TSV4RRFFQ69G5FAV")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Time(), uuid.UUID(l))
	fmt.Println(uuid.UUID(uuid.NewULID()).Version())
	// Output:
	// 2016-07-30 22:36:16.385 +0000 UTC 01563df3-6481-d676-4c61-efb99302bd5b
	// 7
}

func ExampleRange() {
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	lo, hi := uuid.Range(day, day.AddDate(0, 0, 1))
	fmt.Printf("WHERE id >= '%s' AND id < '%s'\n", lo, hi)
	// Output: WHERE id >= '019ca6b1-dc00-0000-0000-000000000000' AND id < '019cabd8-3800-0000-0000-000000000000'
}

func ExampleSource() {
	var orders, invoices uuid.Source // two streams that do not share an order
	a, b := orders.NewV7(), invoices.NewV7()
	fmt.Println(a != b)
	// Output: true
}
