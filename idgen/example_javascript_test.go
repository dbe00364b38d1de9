package idgen_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
)

// A client that insists on JSON numbers gets IDs of 53 bits: JavaScript holds them exactly.
func ExampleJSSafe() {
	gen, err := idgen.NewSnowflake(3, idgen.SnowflakeOptions{Layout: idgen.JSSafe()})
	if err != nil {
		fmt.Println(err)
		return
	}
	id, err := gen.Next(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	const maxSafeInteger = 1<<53 - 1
	fmt.Println(id <= maxSafeInteger, idgen.ID(float64(id)) == id)
	fmt.Println(gen.Layout().Expires().Year())
	// Output:
	// true true
	// 2112
}
