package ratelimit_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sysblocks/sysblocks/ratelimit"
)

func Example() {
	perIP, err := ratelimit.NewKeyed[string](
		[]ratelimit.Limit{ratelimit.PerSecond(10), ratelimit.PerHour(2000)},
		ratelimit.Options{Capacity: 1 << 20}) // 36 MB, whatever the traffic
	if err != nil {
		log.Fatal(err)
	}
	d := perIP.Take("192.0.2.7", 1)
	fmt.Println(d.OK, d.Remaining, d.Policy, d.Err())
	// Output: true 9 10/1s <nil>
}

func ExampleNew() {
	l, err := ratelimit.New(ratelimit.PerSecond(2), ratelimit.PerHour(2000))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Allow(), l.Allow(), l.Allow())
	// Output: true true false
}

func ExampleLimiter_Take() {
	l, err := ratelimit.New(ratelimit.PerHour(2))
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 3 {
		d := l.Take(1)
		fmt.Println(d.OK, d.Remaining, d.RetryAfter.Round(time.Minute), d.Policy)
	}
	// Output:
	// true 1 0s 2/1h
	// true 0 0s 2/1h
	// false 0 30m0s 2/1h
}

func ExampleLimiter_TakeUpTo() {
	l, err := ratelimit.New(ratelimit.PerHour(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.TakeUpTo(7), l.TakeUpTo(7), l.TakeUpTo(7))
	// Output: 7 3 0
}

func ExampleLimiter_Peek() {
	l, err := ratelimit.New(ratelimit.PerHour(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Peek(4).Remaining, l.Peek(4).Remaining, l.Peek(11).OK)
	// Output: 6 6 false
}

func ExampleLimiter_Charge() {
	l, err := ratelimit.New(ratelimit.PerHour(100))
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Take(60)   // the estimate
	l.Charge(30) // it was 90
	fmt.Println(l.Peek(0).Remaining)
	l.Charge(-50) // it was 40
	fmt.Println(l.Peek(0).Remaining)
	// Output:
	// 10
	// 60
}

func ExampleLimiter_Reserve() {
	l, err := ratelimit.New(ratelimit.PerMinute(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Allow()
	r, ok := l.Reserve(1, 2*time.Minute)
	fmt.Println(ok, r.Delay().Round(time.Minute))
	r.Cancel()
	_, ok = l.Reserve(1, time.Second)
	fmt.Println(ok)
	// Output:
	// true 1m0s
	// false
}

func ExampleLimiter_SetLimits() {
	l, err := ratelimit.New(ratelimit.PerHour(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	l.Take(7)
	if err := l.SetLimits(ratelimit.PerHour(1000)); err != nil {
		fmt.Println(err)
	}
	fmt.Println(l.Peek(0).Remaining)
	// Output: 993
}

func ExampleLimiter_Wait() {
	l, err := ratelimit.New(ratelimit.PerHour(1))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println(l.Wait(ctx))
	fmt.Println(l.Wait(ctx))
	// Output:
	// <nil>
	// ratelimit: the context ends before the turn would come
}

func ExampleNewKeyed() {
	perUser, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(1)}, ratelimit.Options{Capacity: 1000})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(perUser.Allow("ann"), perUser.Allow("bob"), perUser.Allow("ann"), perUser.Len())
	perUser.Remove("ann")
	fmt.Println(perUser.Allow("ann"))
	// Output:
	// true true false 2
	// true
}

func ExampleTakeAll() {
	global, err := ratelimit.New(ratelimit.Limit{Name: "global", Count: 100, Per: time.Hour})
	if err != nil {
		fmt.Println(err)
		return
	}
	perUser, err := ratelimit.NewKeyed[string](
		[]ratelimit.Limit{{Name: "user", Count: 1, Per: time.Hour}}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		d := ratelimit.TakeAll(global.Claim(1), perUser.Key("ann").Claim(1))
		fmt.Println(d.OK, d.Policy, global.Peek(0).Remaining)
	}
	// Output:
	// true user 99
	// false user 99
}

func ExampleParseLimit() {
	for text := range strings.SplitSeq("2000/1h,10/s burst 20,login=5/1m,unlimited", ",") {
		l, err := ratelimit.ParseLimit(text)
		fmt.Println(l, err)
	}
	// Output:
	// 2000/1h <nil>
	// 10/1s burst 20 <nil>
	// login=5/1m <nil>
	// unlimited <nil>
}

func ExampleRolling() {
	fmt.Println(ratelimit.Rolling(100, time.Minute, 20))
	// Output: 80/1m burst 20
}

func ExampleFromRate() {
	fmt.Println(ratelimit.FromRate(rate.Every(3*time.Second), 5))
	// Output: 1/3s burst 5
}

func ExampleNewReader() {
	l, err := ratelimit.New(ratelimit.PerSecond(1 << 20)) // 1 MiB/s
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := io.ReadAll(ratelimit.NewReader(context.Background(), strings.NewReader("a download"), l))
	fmt.Println(string(text), err)
	// Output: a download <nil>
}

// A window returns all of it at one moment, a bucket bit by bit.
func ExampleAlgorithm() {
	window, err := ratelimit.New(ratelimit.Limit{Count: 3, Per: 100 * 24 * time.Hour, Algorithm: ratelimit.FixedWindow})
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 4 {
		d := window.Take(1)
		fmt.Println(d.OK, d.Remaining, d.Policy)
	}
	// Output:
	// true 2 3/2400h fixed
	// true 1 3/2400h fixed
	// true 0 3/2400h fixed
	// false 0 3/2400h fixed
}

// A customer who pays for more.
func ExampleKeyed_Override() {
	perUser, err := ratelimit.NewKeyed[string]([]ratelimit.Limit{ratelimit.PerHour(2)}, ratelimit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	perUser.Take("ann", 2)
	fmt.Println(perUser.Allow("ann"))
	if err := perUser.Override("ann", ratelimit.PerHour(1000)); err != nil {
		fmt.Println(err)
		return
	}
	d := perUser.Take("ann", 1)
	fmt.Println(d.OK, d.Remaining) // what was used stays used
	// Output:
	// false
	// true 997
}

// A server said Retry-After.
func ExampleLimiter_Pause() {
	calls, err := ratelimit.New(ratelimit.PerSecond(10))
	if err != nil {
		fmt.Println(err)
		return
	}
	calls.Pause(time.Hour)
	d := calls.Take(1)
	fmt.Println(d.OK, d.Remaining, d.RetryAfter.Round(time.Minute))
	// Output: false 10 1h0m0s
}
