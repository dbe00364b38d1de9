package hashring_test

import (
	"fmt"
	"log"

	"github.com/sysblocks/sysblocks/hashring"
)

// Modulo against ring: how many of 100 000 keys move when a tenth node joins nine.
func Example_moduloAgainstRing() {
	const keys, n = 100_000, 9
	var ids []string
	for i := range n {
		ids = append(ids, fmt.Sprint("node-", i))
	}
	ring, err := hashring.New(hashring.Nodes(ids...), hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	change, err := ring.Add(hashring.Nodes("node-9")...)
	if err != nil {
		log.Fatal(err)
	}
	var modulo, jump, moved int
	for i := range keys {
		key := fmt.Sprint("user:", i)
		token := hashring.Hash(key)
		if hashring.Modulo(token, n) != hashring.Modulo(token, n+1) {
			modulo++
		}
		if hashring.Jump(token, n) != hashring.Jump(token, n+1) {
			jump++
		}
		before, _ := change.Old.Get(key)
		if after, _ := change.New.Get(key); before != after {
			moved++
		}
	}
	percent := func(n int) float64 { return 100 * float64(n) / keys }
	fmt.Printf("hash modulo n: %.0f%% of the keys move, n/(n+1) is 90%%\n", percent(modulo))
	fmt.Printf("jump hash:     %.0f%%, 1/(n+1) is 10%%; only the last bucket may leave\n", percent(jump))
	fmt.Printf("ring:          %.0f%%, and any node may leave\n", percent(moved))
	// Output:
	// hash modulo n: 90% of the keys move, n/(n+1) is 90%
	// jump hash:     10%, 1/(n+1) is 10%; only the last bucket may leave
	// ring:          9%, and any node may leave
}
