package session_test

import (
	"bytes"
	"context"
	"encoding/gob"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/sysblocks/sysblocks/session"
)

// The workflow of a session cookie, with its headers: created by the first change, silent while nothing about it
// changes, replaced at the login, cleared at the logout.
func Example_workflow() {
	sessions := open(session.Options{})
	h := sessions.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r.Context())
		switch r.URL.Path {
		case "/put":
			err = s.Update(func(d *Shop) error { d.Cart = append(d.Cart, "tea"); return nil })
		case "/login":
			err = s.Login(r.Context(), "ann", session.LoginOptions{})
		case "/logout":
			err = s.Logout(r.Context())
		}
		if err != nil {
			fmt.Println(err)
		}
	}))
	cookie, secrets := "", map[string]string{}
	for _, path := range []string{"/", "/put", "/put", "/login", "/", "/logout"} {
		var answer *httptest.ResponseRecorder
		answer, cookie = visit(h, "GET", path, cookie)
		line := answer.Header().Get("Set-Cookie")
		if _, token, _ := strings.Cut(cookie, "="); len(token) == 64 { // a real token is not for printing
			if secrets[token] == "" {
				secrets[token] = fmt.Sprintf("TOKEN%d", len(secrets)+1)
			}
			line = strings.ReplaceAll(line, token, secrets[token])
		}
		fmt.Println(strings.TrimSpace(fmt.Sprintf("%-8s%s", path, line)))
	}
	// Output:
	// /
	// /put    __Host-Http-session=TOKEN1; Path=/; HttpOnly; Secure; SameSite=Lax
	// /put
	// /login  __Host-Http-session=TOKEN2; Path=/; HttpOnly; Secure; SameSite=Lax
	// /
	// /logout __Host-Http-session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax
}

// Three servers share one store, and no request needs to reach the server that another reached. One of them dies; the
// user does not notice. (In production the store is a database, see package sqlsession.)
func Example_noStickySessions() {
	store, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	var servers []http.Handler
	for i := range 3 {
		sessions, err := session.New[Shop](store, session.Options{})
		if err != nil {
			fmt.Println(err)
			return
		}
		servers = append(servers, sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			s, err := sessions.Get(r.Context())
			if err == nil && s.UserID() == "" {
				err = s.Login(r.Context(), "ann", session.LoginOptions{})
			}
			if err == nil {
				err = s.Update(func(d *Shop) error { d.Cart = append(d.Cart, "tea"); return nil })
			}
			fmt.Fprintln(w, "server", i, "sees", s.UserID(), "with", len(s.Data().Cart), "items", err)
		})))
	}
	var answer *httptest.ResponseRecorder
	cookie := ""
	for request := range 6 {
		if request == 3 {
			servers = servers[1:] // server 0 is gone
		}
		answer, cookie = visit(servers[request%len(servers)], "GET", "/", cookie)
		fmt.Print(answer.Body)
	}
	// Output:
	// server 0 sees ann with 1 items <nil>
	// server 1 sees ann with 2 items <nil>
	// server 2 sees ann with 3 items <nil>
	// server 2 sees ann with 4 items <nil>
	// server 1 sees ann with 5 items <nil>
	// server 2 sees ann with 6 items <nil>
}

// Server-sent events: Reload brings what other requests have changed, and tells when the session has ended.
func ExampleSession_Reload() {
	sessions := open(session.Options{})
	ctx := context.Background()
	stream, _ := sessions.Lookup(ctx, "")
	if err := stream.Login(ctx, "ann", session.LoginOptions{}); err != nil {
		fmt.Println(err)
		return
	}
	other, _ := sessions.Lookup(ctx, stream.Token()) // another request of the browser
	err := other.Update(func(d *Shop) error { d.Flash = "your parcel has arrived"; return nil })
	if err == nil {
		err = other.Save(ctx)
	}
	fmt.Println(err)
	for range 2 {
		if err := stream.Reload(ctx); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println("data:", stream.Data().Flash)
		if err := other.Logout(ctx); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// <nil>
	// data: your parcel has arrived
	// session: ended or renewed by another request
}

// gobBytes is encoding/gob as a Codec.
type gobBytes struct{}

func (gobBytes) Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func (gobBytes) Unmarshal(data []byte, v any) error {
	return gob.NewDecoder(bytes.NewReader(data)).Decode(v)
}

func ExampleCodec() {
	sessions := open(session.Options{Codec: gobBytes{}})
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := sessions.Get(r.Context())
		if err := s.Update(func(d *Shop) error { d.Cart = append(d.Cart, "tea"); return nil }); err != nil {
			http.Error(w, "try again", http.StatusInternalServerError)
			return
		}
		_, _ = io.WriteString(w, strings.Join(s.Data().Cart, " and "))
	}))
	_, cookie := visit(h, "GET", "/", "")
	answer, _ := visit(h, "GET", "/", cookie)
	fmt.Println(answer.Body)
	// Output: tea and tea
}
