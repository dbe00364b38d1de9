package session

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Transport carries tokens. Cookie and Bearer implement it. Another implementation adds to Vary what its
// Token reads.
type Transport interface {
	// Token returns the i-th candidate of the request; the manager asks for i = 0 … 3.
	Token(r *http.Request, i int) (token string, ok bool)
	// Send puts a token into the header of a response. persistent asks the client to keep it until expiresAt
	// even if it restarts.
	Send(h http.Header, token string, expiresAt time.Time, persistent bool)
	// Clear tells the client to forget its token.
	Clear(h http.Header)
	// Ambient says that browsers attach the token by themselves: cross-origin checks apply.
	Ambient() bool
}

// maxCandidates bounds what one request can make the store do.
const maxCandidates = 4

// transportFacts are what the manager asks of its own transports beyond the interface.
type transportFacts interface {
	valid() error
	label() string // tells transports apart in the seal of a client-side session
	vary() string  // name of the request header that Token reads
	room() int     // bytes for the token; 0 = no limit
}

// Transports tries each in turn; the one that brought the token also answers, the first answers a new session.
// nil transports make New fail.
func Transports(first Transport, more ...Transport) Transport {
	var m multi
	for _, t := range append([]Transport{first}, more...) {
		m = append(m, flatten(t)...)
	}
	return m
}

// multi is a list without other multis inside.
type multi []Transport

func flatten(t Transport) []Transport {
	if m, ok := t.(multi); ok {
		return m
	}
	return []Transport{t}
}

func (m multi) Token(r *http.Request, i int) (string, bool) {
	for _, t := range m {
		for j := 0; ; j++ {
			token, ok := t.Token(r, j)
			if !ok {
				break
			}
			if i--; i < 0 {
				return token, true
			}
		}
	}
	return "", false
}

func (m multi) Send(h http.Header, token string, expiresAt time.Time, persistent bool) {
	m[0].Send(h, token, expiresAt, persistent)
}

func (m multi) Clear(h http.Header) { m[0].Clear(h) }

func (m multi) Ambient() bool { return slices.ContainsFunc(m, Transport.Ambient) }

func validTransport(t Transport) error {
	if t == nil {
		return fmt.Errorf("%w: Transport: nil inside Transports", ErrInvalid)
	}
	if f, ok := t.(transportFacts); ok {
		if err := f.valid(); err != nil {
			return fmt.Errorf("%w: Transport: %w", ErrInvalid, err)
		}
	}
	return nil
}

// transportLabel tells transports apart; for a foreign one its type has to do.
func transportLabel(t Transport) string {
	if f, ok := t.(transportFacts); ok {
		return f.label()
	}
	return fmt.Sprintf("%T", t)
}

// varies lists what the package's own transports read.
func varies(transports []Transport) (names []string) {
	for _, t := range transports {
		if f, ok := t.(transportFacts); ok {
			names = append(names, f.vary())
		}
	}
	return names
}

// addVary adds name to the Vary header, once.
func addVary(h http.Header, name string) {
	lines := h["Vary"]
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			if field = strings.TrimSpace(field); field == "*" || strings.EqualFold(field, name) {
				return
			}
		}
	}
	h["Vary"] = append(lines, name)
}

// isToken tells whether s is a token in the sense of HTTP: a possible name of a header or a cookie.
func isToken(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("()<>@,;:\\\"/[]?={}", c) >= 0 {
			return false
		}
	}
	return s != ""
}
