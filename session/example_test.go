package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/sysblocks/sysblocks/session"
)

// Shop is the data of the examples.
type Shop struct {
	Cart  []string
	Flash string
}

// open returns what a program makes once, at its start.
func open(opts session.Options) *session.Manager[Shop] {
	store, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		panic(err)
	}
	sessions, err := session.New[Shop](store, opts)
	if err != nil {
		panic(err)
	}
	return sessions
}

// visit sends a request to the handler, with the cookie, and returns the answer and the cookie to keep.
func visit(h http.Handler, method, target, cookie string) (*httptest.ResponseRecorder, string) {
	r := httptest.NewRequestWithContext(context.Background(), method, target, nil)
	if cookie != "" {
		r.Header.Set("Cookie", cookie)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if set := w.Header().Get("Set-Cookie"); set != "" {
		cookie, _, _ = strings.Cut(set, ";")
	}
	return w, cookie
}

func Example() {
	store, err := session.NewMemoryStore(session.MemoryOptions{}) // or sqlsession.New(db, sqlsession.Postgres, …)
	if err != nil {
		log.Fatal(err)
	}
	sessions, err := session.New[Shop](store, session.Options{})
	if err != nil {
		log.Fatal(err)
	}
	shop := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := sessions.Get(r.Context()) // never nil; with an error it is anonymous and refuses Update
		err := s.Update(func(d *Shop) error {
			d.Cart = append(d.Cart, r.FormValue("sku"))
			return nil
		})
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, "%d in the cart", len(s.Data().Cart)) // committed before the first byte leaves
	}))
	_, cookie := visit(shop, http.MethodGet, "/?sku=tea", "")
	answer, _ := visit(shop, http.MethodGet, "/?sku=milk", cookie)
	fmt.Println(answer.Body)
	// Output: 2 in the cart
}

func ExampleNew() {
	sessions := open(session.Options{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		user := r.FormValue("name") // after the password was checked
		s, err := sessions.Get(r.Context())
		if err == nil {
			err = s.Login(r.Context(), user, session.LoginOptions{Device: r.UserAgent()})
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.Handle("POST /cart", sessions.RequireLogin(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := sessions.Get(r.Context()) // never nil; RequireLogin has seen the error
		err := s.Update(func(d *Shop) error {
			d.Cart = append(d.Cart, r.FormValue("sku"))
			return nil
		})
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		fmt.Fprintf(w, "%s has %d items\n", s.UserID(), len(s.Data().Cart))
	})))
	h := sessions.Handler(mux)

	answer, cookie := visit(h, "POST", "/cart?sku=tea", "")
	fmt.Println(answer.Code)
	answer, cookie = visit(h, "POST", "/login?name=ann", cookie)
	fmt.Println(answer.Code)
	visit(h, "POST", "/cart?sku=tea", cookie)
	answer, _ = visit(h, "POST", "/cart?sku=milk", cookie)
	fmt.Print(answer.Body)
	// Output:
	// 401
	// 303
	// ann has 2 items
}

func ExampleNewClientSide() {
	keys, err := session.NewKeyring([]byte("32 random bytes from a safe plac"))
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.NewClientSide[Shop](keys, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := sessions.Get(r.Context())
		if err := s.Update(func(d *Shop) error { d.Cart = append(d.Cart, "tea"); return nil }); err != nil {
			http.Error(w, "too much", http.StatusRequestEntityTooLarge)
			return
		}
		fmt.Fprintln(w, s.Data().Cart)
	}))
	_, cookie := visit(h, "GET", "/", "")
	answer, _ := visit(h, "GET", "/", cookie)
	fmt.Print(answer.Body)
	// Output: [tea tea]
}

// Log out everywhere else, for a button beside the change of a password.
func ExampleManager_RevokeUser() {
	sessions := open(session.Options{})
	ctx := context.Background()
	phone, _ := sessions.Lookup(ctx, "")
	laptop, _ := sessions.Lookup(ctx, "")
	for _, s := range []*session.Session[Shop]{phone, laptop} {
		if err := s.Login(ctx, "ann", session.LoginOptions{}); err != nil {
			fmt.Println(err)
			return
		}
	}
	n, err := sessions.RevokeUser(ctx, laptop.UserID(), laptop.ID())
	fmt.Println(n, err)
	_, err = sessions.Lookup(ctx, phone.Token())
	fmt.Println(err)
	// Output:
	// 1 <nil>
	// session: no such session
}

func ExampleManager_List() {
	sessions := open(session.Options{})
	ctx := context.Background()
	s, _ := sessions.Lookup(ctx, "")
	if err := s.Login(ctx, "ann", session.LoginOptions{Device: "Firefox on Linux"}); err != nil {
		fmt.Println(err)
		return
	}
	for info, err := range sessions.List(ctx, "ann") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(info.Device, info.ExpiresAt.Sub(info.LastSeenAt))
	}
	// Output: Firefox on Linux 30m0s
}

// "Not older than ten minutes": ask for the password again before what hurts.
func ExampleSession_Info() {
	sessions := open(session.Options{})
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r.Context())
		if err != nil || time.Since(s.Info().AuthTime) > 10*time.Minute {
			http.Error(w, "your password, please", http.StatusForbidden)
			return
		}
		fmt.Fprintln(w, "account closed")
	}))
	answer, _ := visit(h, "POST", "/close", "")
	fmt.Println(answer.Code)
	// Output: 403
}

// Redirect to the login page instead of 401.
func ExampleOptions_errorHandler() {
	sessions := open(session.Options{ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
		if errors.Is(err, session.ErrLoginRequired) || errors.Is(err, session.ErrRevoked) {
			http.Redirect(w, r, "/login", http.StatusSeeOther)
			return
		}
		http.Error(w, "try again", http.StatusServiceUnavailable)
	}})
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "private") })
	answer, _ := visit(sessions.Handler(sessions.RequireLogin(page)), "GET", "/", "")
	fmt.Println(answer.Code, answer.Header().Get("Location"))
	// Output: 303 /login
}

// Remember me for thirty days.
func ExampleLoginOptions() {
	sessions := open(session.Options{})
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r.Context())
		if err == nil {
			err = s.Login(r.Context(), "ann", session.LoginOptions{Remember: true, IdleTimeout: -1, AbsoluteTimeout: 30 * 24 * time.Hour})
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	answer, _ := visit(h, "GET", "/", "")
	_, attributes, _ := strings.Cut(answer.Header().Get("Set-Cookie"), "; ")
	fmt.Println(attributes)
	// Output: Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax
}

// A JSON API whose clients keep the token themselves.
func ExampleBearer() {
	sessions := open(session.Options{Transport: session.Bearer{}})
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r.Context())
		if err == nil && s.UserID() == "" {
			err = s.Login(r.Context(), "ann", session.LoginOptions{})
		}
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintf(w, `{"user":%q}`, s.UserID())
	}))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(context.Background(), "POST", "/login", nil))
	token := w.Header().Get("Session-Token")
	r := httptest.NewRequestWithContext(context.Background(), "GET", "/", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	w = httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(len(token), w.Body, w.Header().Get("Session-Token") == "")
	// Output: 64 {"user":"ann"} true
}

// downStore is a database that does not answer.
type downStore struct{ session.Store }

func (downStore) Load(context.Context, session.ID) (session.Record, error) {
	return session.Record{}, errors.New("connection refused")
}

// An anonymous page while the store is down. The browser keeps its cookie.
func ExampleManager_Get() {
	sessions, err := session.New[Shop](downStore{}, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	h := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := sessions.Get(r.Context())
		if err != nil {
			fmt.Fprintln(w, "welcome, whoever you are")
			return
		}
		fmt.Fprintln(w, "welcome,", s.UserID())
	}))
	answer, _ := visit(h, "GET", "/", "__Host-Http-session="+strings.Repeat("A", 64))
	fmt.Print(answer.Body)
	fmt.Println(len(answer.Header()["Set-Cookie"]))
	// Output:
	// welcome, whoever you are
	// 0
}

// A message that is shown once.
func ExampleTake() {
	sessions := open(session.Options{})
	s, _ := sessions.Lookup(context.Background(), "")
	if err := s.Update(func(d *Shop) error { d.Flash = "order placed"; return nil }); err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		message, err := session.Take(s, func(d *Shop) *string { return &d.Flash })
		fmt.Printf("%q %v\n", message, err)
	}
	// Output:
	// "order placed" <nil>
	// "" <nil>
}

func ExampleKey() {
	const lang session.Key[string] = "lang"
	store, err := session.NewMemoryStore(session.MemoryOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sessions, err := session.New[session.Values](store, session.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, _ := sessions.Lookup(context.Background(), "")
	if err := s.Update(func(bag *session.Values) error { return lang.Set(bag, "de") }); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lang.Get(s.Data()))
	// Output: de true
}

// A key is changed in three steps, so that no server meets a value that it cannot open: every server first learns the
// next key, then seals with it, and forgets the old one when nothing sealed with it is left.
func ExampleKeyring_Rotate() {
	old, next := []byte("the key of last year, 32 bytes.."), []byte("the key of this year, 32 bytes..")
	one, err := session.NewKeyring(old, next) // step 1: accepted
	if err != nil {
		fmt.Println(err)
		return
	}
	two, err := session.NewKeyring(old, next)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := two.Rotate(next); err != nil { // step 2: first, one server after the other
		fmt.Println(err)
		return
	}
	sealed := two.Seal(nil, []byte("data"), nil)
	plain, first, err := one.Open(nil, sealed, nil)
	fmt.Println(string(plain), first, err)
	three, err := session.NewKeyring(next) // step 3: after AbsoluteTimeout
	if err != nil {
		fmt.Println(err)
		return
	}
	_, first, err = three.Open(nil, sealed, nil)
	fmt.Println(first, err)
	// Output:
	// data false <nil>
	// true <nil>
}

// A user may be logged in on two devices, and a secret is in use for an hour at most. The one before stays good for a
// grace, for requests that are under way together; who shows it later ends the session.
func ExampleRotation() {
	sessions := open(session.Options{
		MaxPerUser: 2,
		Rotation:   session.Rotation{Every: time.Hour, Grace: time.Minute, RevokeOnReuse: true},
		OnEvent: func(_ context.Context, e session.Event) {
			if e.Kind == session.EventRevoked || e.Kind == session.EventReused {
				fmt.Println(e.Kind, e.UserID)
			}
		},
	})
	ctx := context.Background()
	for _, device := range []string{"phone", "laptop", "tablet"} {
		s, err := sessions.Lookup(ctx, "")
		if err == nil {
			err = s.Login(ctx, "ann", session.LoginOptions{Device: device})
		}
		if err != nil {
			fmt.Println(err)
		}
	}
	devices := 0
	for _, err := range sessions.List(ctx, "ann") {
		if err == nil {
			devices++
		}
	}
	fmt.Println(devices, "devices")
	// Output:
	// revoked ann
	// 2 devices
}
