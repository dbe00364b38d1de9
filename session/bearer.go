package session

import (
	"cmp"
	"errors"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Bearer reads "Authorization: Bearer TOKEN" and answers a new token in "Session-Token"; with Header set, that
// header carries the bare token both ways. Clear answers with an empty token.
type Bearer struct{ Header string }

const bearerAnswer = "Session-Token"

func (b Bearer) valid() error {
	if b.Header != "" && !isToken(b.Header) {
		return errors.New("Bearer.Header is not the name of a header")
	}
	return nil
}

func (b Bearer) label() string { return "bearer " + textproto.CanonicalMIMEHeaderKey(b.Header) }
func (b Bearer) vary() string {
	return cmp.Or(textproto.CanonicalMIMEHeaderKey(b.Header), "Authorization")
}
func (b Bearer) room() int { return 0 }

// Token returns the token of the i-th header line.
func (b Bearer) Token(r *http.Request, i int) (token string, ok bool) {
	lines := r.Header[textproto.CanonicalMIMEHeaderKey(cmp.Or(b.Header, "Authorization"))]
	for _, line := range lines {
		if b.Header == "" {
			scheme, rest, found := strings.Cut(line, " ")
			if !found || !strings.EqualFold(scheme, "Bearer") {
				continue
			}
			line = rest
		}
		if i--; i < 0 {
			return textproto.TrimString(line), true
		}
	}
	return "", false
}

// Send sets the header of the answer.
func (b Bearer) Send(h http.Header, token string, _ time.Time, _ bool) {
	h.Set(cmp.Or(b.Header, bearerAnswer), token)
}

// Clear sets it to "".
func (b Bearer) Clear(h http.Header) { h.Set(cmp.Or(b.Header, bearerAnswer), "") }

// Ambient is false: only a program that means it attaches such a header.
func (b Bearer) Ambient() bool { return false }
