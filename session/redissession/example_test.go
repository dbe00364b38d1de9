package redissession_test

import (
	"context"
	"fmt"

	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
)

// With go-redis, the argument is rdb.Do of a Client, ClusterClient or UniversalClient. A model of the server stands
// in here.
func ExampleNew() {
	rdb := redissession.NewFake()
	store, err := redissession.New(rdb.Do, redissession.Options{Prefix: "shop:"})
	if err != nil {
		fmt.Println(err)
		return
	}
	type Data struct{ Cart []string }
	sessions, err := session.New[Data](store, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, device := range []string{"phone", "laptop"} {
		s, err := sessions.Lookup(ctx, "")
		if err == nil {
			err = s.Login(ctx, "ann", session.LoginOptions{Device: device})
		}
		if err != nil {
			fmt.Println(err)
			return
		}
	}
	n, err := sessions.RevokeUser(ctx, "ann")
	fmt.Println(n, err)
	// Output: 2 <nil>
}
