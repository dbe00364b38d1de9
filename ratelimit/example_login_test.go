package ratelimit_test

import (
	"fmt"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

// A login form bounds the tries per account and per address. A right password gives the tries back, so that a person
// who mistypes is not locked out after coming in.
//
// In a gRPC server the same stands in an interceptor:
//
//	func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
//		if d := perUser.Take(identity(ctx), 1); !d.OK {
//			return nil, status.Errorf(codes.ResourceExhausted, "%v", d.Err())
//		}
//		return next(ctx, req)
//	}
func Example_loginForm() {
	perAccount, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{
		{Name: "minute", Count: 3, Per: time.Minute},
		{Name: "day", Count: 20, Per: 24 * time.Hour},
	}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	perAddress, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(100)}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	login := func(account, address, password string) string {
		d := ratelimit.TakeAll(perAccount.Key(account).Claim(1), perAddress.Key(address).Claim(1))
		switch {
		case !d.OK:
			return "try again later" // neither how many tries remain nor whether the account exists
		case password != "correct horse":
			return "wrong"
		}
		perAccount.Remove(account)
		return "welcome"
	}
	fmt.Println(login("ann", "192.0.2.1", "a"))
	fmt.Println(login("ann", "192.0.2.1", "b"))
	fmt.Println(login("ann", "192.0.2.1", "correct horse"))
	for range 4 {
		fmt.Println(login("ann", "192.0.2.1", "c"))
	}
	// Output:
	// wrong
	// wrong
	// welcome
	// wrong
	// wrong
	// wrong
	// try again later
}
