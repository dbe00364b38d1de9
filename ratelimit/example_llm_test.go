package ratelimit_test

import (
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// A gateway to a language model bounds requests and tokens per user and the total. The cost is known only afterwards:
// an estimate is charged before, the difference after.
func Example_llmBudget() {
	requests, err1 := ratelimit.NewKeyed[string](
		[]ratelimit.Limit{{Name: "requests", Count: 60, Per: time.Minute}}, ratelimit.Options{})
	tokens, err2 := ratelimit.NewKeyed[string](
		[]ratelimit.Limit{{Name: "tokens", Count: 10_000, Per: time.Hour}}, ratelimit.Options{})
	total, err3 := ratelimit.New(ratelimit.Limit{Name: "total", Count: 1_000_000, Per: time.Hour})
	for _, err := range []error{err1, err2, err3} {
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	ask := func(user string, estimate, used int) error {
		d := ratelimit.TakeAll(total.Claim(estimate), requests.Key(user).Claim(1), tokens.Key(user).Claim(estimate))
		if !d.OK {
			return d.Err()
		}
		total.Charge(used - estimate)
		tokens.Key(user).Charge(used - estimate)
		return nil
	}
	fmt.Println(ask("ann", 4000, 6000))
	fmt.Println(tokens.Key("ann").Peek(0).Remaining)
	err := ask("ann", 5000, 5000)
	fmt.Println(err != nil, total.Peek(0).Remaining > 990_000)
	// Output:
	// <nil>
	// 4000
	// true true
}
