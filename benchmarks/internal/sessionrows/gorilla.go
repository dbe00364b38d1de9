package sessionrows

import (
	"net/http"
	"strings"

	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func gorillaKeys() (hash, block []byte) {
	return []byte(strings.Repeat("h", 64)), []byte(strings.Repeat("b", 32))
}

// gorillaRequest reads an encrypted CookieStore; gob is its default.
func gorillaRequest(do work) harness.Contender {
	return harness.Contender{Name: "gorilla CookieStore", Setup: func() (harness.Op, func(), error) {
		store := sessions.NewCookieStore(gorillaKeys())
		blank, err := requestWith("", "")
		if err != nil {
			return nil, nil, err
		}
		s, err := store.New(blank, "session")
		if err != nil {
			return nil, nil, err
		}
		s.Values["user"], s.Values["n"], s.Values["flash"], s.Values["lang"] = userID, 1, "hello", "de"
		w := newSink()
		if err := store.Save(blank, w, s); err != nil {
			return nil, nil, err
		}
		cookie, err := http.ParseSetCookie(w.h.Get("Set-Cookie"))
		if err != nil {
			return nil, nil, err
		}
		r, err := requestWith("session", cookie.Value)
		answer := page()
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			// A request of its own each time, as a server has: the package caches in its context.
			s, err := store.Get(r.WithContext(r.Context()), "session")
			if err != nil || s.Values["user"] != userID || do == readData && s.Values["lang"] != "de" {
				panic("gorilla: wrong session")
			}
			answer(w)
		})
		return serve(h, r), nil, err
	}}
}

func gorillaCodec() *securecookie.SecureCookie {
	return securecookie.New(gorillaKeys()).SetSerializer(securecookie.JSONEncoder{})
}

func gorillaSealOpen(size int) harness.Contender {
	return harness.Contender{Name: "securecookie", Setup: func() (harness.Op, func(), error) {
		codec, value := gorillaCodec().MaxLength(0), strings.Repeat("x", size)
		return func(n int) {
			for range n {
				cookie, err := codec.Encode("session", value)
				if err != nil {
					panic(err)
				}
				var back string
				if err := codec.Decode("session", cookie, &back); err != nil || len(back) != size {
					panic("securecookie: round trip")
				}
			}
		}, nil, nil
	}}
}

// bytesEncoder hands the data over as it is.
type bytesEncoder struct{}

func (bytesEncoder) Serialize(src any) ([]byte, error) { return src.([]byte), nil }
func (bytesEncoder) Deserialize(src []byte, dst any) error {
	*dst.(*[]byte) = src
	return nil
}

// gorillaCapacity is how much encoded data a cookie of 4096 octets holds, its name included.
func gorillaCapacity() (float64, error) {
	codec := securecookie.New(gorillaKeys()).SetSerializer(bytesEncoder{}).MaxLength(4096 - len("session"))
	for n := 1000; ; n++ {
		if _, err := codec.Encode("session", make([]byte, n)); err != nil {
			return float64(n - 1), nil //nolint:nilerr // the first that is refused is the answer
		}
	}
}
