package session

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
	"time"
)

// Cookie is the default transport. Its zero value is __Host-Http-session; Path=/; Secure; HttpOnly; SameSite=Lax.
//
// The prefix makes browsers refuse a cookie of that name that a sub-domain, a plain-HTTP page or a script tries
// to plant.
type Cookie struct {
	Name        string        // "" = __Host-Http-session; with Domain or Path __Secure-session; with Insecure session
	Domain      string        // "" = this host only
	Path        string        // "" = /
	SameSite    http.SameSite // 0 = Lax
	Partitioned bool
	Insecure    bool // plain-HTTP development: not Secure, no prefix
}

const (
	// maxCookie is the limit of browsers for name and value together (RFC 6265bis, section 5.6).
	maxCookie = 4096
	// maxAge is the longest life that browsers grant a cookie (RFC 6265bis, section 5.5).
	maxAge = 400 * 24 * time.Hour
)

func (c Cookie) name() string {
	switch {
	case c.Name != "":
		return c.Name
	case c.Insecure:
		return "session"
	case c.Domain != "" || c.path() != "/":
		return "__Secure-session"
	}
	return "__Host-Http-session"
}

func (c Cookie) path() string { return cmp.Or(c.Path, "/") }

func (c Cookie) valid() error {
	name := c.name()
	prefix := func(p string) bool { return len(name) >= len(p) && strings.EqualFold(name[:len(p)], p) }
	switch {
	case !isToken(name) || len(name) > 256:
		return errors.New("Cookie.Name is not a token of at most 256 characters")
	case prefix("__Host-") && (c.Domain != "" || c.path() != "/"):
		return errors.New("Cookie.Name with __Host- allows no Domain and only Path /")
	case c.Insecure && (prefix("__Host-") || prefix("__Secure-") || prefix("__Http-")):
		return errors.New("Cookie.Insecure allows no name with a prefix")
	case c.Insecure && c.SameSite == http.SameSiteNoneMode:
		return errors.New("Cookie.SameSite None needs a secure cookie, not Insecure")
	case c.Insecure && c.Partitioned:
		return errors.New("Cookie.Partitioned needs a secure cookie, not Insecure")
	case c.SameSite < 0 || c.SameSite > http.SameSiteNoneMode:
		return fmt.Errorf("Cookie.SameSite %d is none of net/http's values", c.SameSite)
	case c.path()[0] != '/':
		return errors.New("Cookie.Path must start with /")
	}
	if err := c.cookie("x").Valid(); err != nil {
		return fmt.Errorf("Cookie: %w", err)
	}
	return nil
}

func (c Cookie) cookie(value string) *http.Cookie {
	sameSite := c.SameSite
	if sameSite == 0 || sameSite == http.SameSiteDefaultMode {
		sameSite = http.SameSiteLaxMode
	}
	return &http.Cookie{
		Name: c.name(), Value: value, Domain: c.Domain, Path: c.path(), SameSite: sameSite,
		Secure: !c.Insecure, HttpOnly: true, Partitioned: c.Partitioned,
	}
}

func (c Cookie) label() string { return "cookie " + c.name() }
func (c Cookie) vary() string  { return "Cookie" }
func (c Cookie) room() int     { return maxCookie - len(c.name()) }

// Token returns the value of the i-th cookie of that name, by the rules of net/http.
func (c Cookie) Token(r *http.Request, i int) (token string, ok bool) {
	return findCookie(r.Header["Cookie"], c.name(), i)
}

// findCookie does what http.Request.CookiesNamed does, without its allocations.
func findCookie(lines []string, name string, i int) (string, bool) {
	for _, line := range lines {
		for len(line) > 0 {
			var part string
			part, line, _ = strings.Cut(line, ";")
			key, value, _ := strings.Cut(textproto.TrimString(part), "=")
			if textproto.TrimString(key) != name {
				continue
			}
			if value, ok := cookieValue(value); ok {
				if i--; i < 0 {
					return value, true
				}
			}
		}
	}
	return "", false
}

// cookieValue strips one pair of quotes and refuses octets that RFC 6265 does not allow.
func cookieValue(v string) (string, bool) {
	if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
		v = v[1 : len(v)-1]
	}
	for i := range len(v) {
		if b := v[i]; b-' ' >= 0x7f-' ' || b == '"' || b == '\\' { // and ';', which has ended v
			return "", false
		}
	}
	return v, true
}

// Send adds the Set-Cookie line. Max-Age, rounded up to seconds and at most 400 days, only if persistent:
// otherwise the cookie goes with the browser.
func (c Cookie) Send(h http.Header, token string, expiresAt time.Time, persistent bool) {
	cookie := c.cookie(token)
	if persistent {
		life := min(time.Until(expiresAt), maxAge)
		cookie.MaxAge = max(1, int((life+time.Second-1)/time.Second))
	}
	h.Add("Set-Cookie", cookie.String())
}

// Clear adds a Set-Cookie line with the same attributes and no life.
func (c Cookie) Clear(h http.Header) {
	cookie := c.cookie("")
	cookie.MaxAge = -1 // net/http writes 0
	h.Add("Set-Cookie", cookie.String())
}

// Ambient is true.
func (c Cookie) Ambient() bool { return true }
