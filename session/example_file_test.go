//go:build unix

package session_test

import (
	"context"
	"fmt"
	"os"

	"github.com/sysblocks/sysblocks/session"
)

// Sessions in files survive the process; several processes may use the folder at once.
func ExampleNewFileStore() {
	dir, err := os.MkdirTemp("", "sessions")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	var token string
	for _, process := range []string{"first", "second"} {
		store, err := session.NewFileStore(dir, session.FileOptions{})
		if err != nil {
			fmt.Println(err)
			return
		}
		sessions, err := session.New[Data](store, session.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		s, err := sessions.Lookup(ctx, token)
		if err == nil && token == "" {
			err = s.Login(ctx, "ann", session.LoginOptions{})
			token = s.Token()
		}
		fmt.Printf("%s process: %q %v\n", process, s.UserID(), err)
		if err := store.Close(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// first process: "ann" <nil>
	// second process: "ann" <nil>
}
