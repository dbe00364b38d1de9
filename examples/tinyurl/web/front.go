// Package web is what the world sees of the link shortener: the front line with limits and balancing, and the HTTP interface.
package web

import (
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/httplimit"
)

// Limits decide who may create how much. The backends are shared by all instances, or else each instance grants the whole quota.
type Limits struct {
	Strangers ratelimit.Backend // by address
	Owners    ratelimit.Backend // by name
}

// Limited puts the quotas before the creation of links. Reading is not limited: a redirect costs a look into memory, and an
// unknown code costs a look into the filter.
func Limited(next http.Handler, l Limits) (http.Handler, error) {
	owners, err := httplimit.New(l.Owners, httplimit.Options{
		Deny: httplimit.Problem,
		Key: func(r *http.Request) (string, bool) {
			owner := owner(r)
			return owner, owner != "" && r.Method == http.MethodPost
		},
	})
	if err != nil {
		return nil, err
	}
	address := httplimit.ByIP()
	strangers, err := httplimit.New(l.Strangers, httplimit.Options{
		Deny: httplimit.Problem,
		Key: func(r *http.Request) (string, bool) {
			key, known := address(r)
			return key, known && owner(r) == "" && r.Method == http.MethodPost
		},
	})
	if err != nil {
		return nil, err
	}
	return owners(strangers(next)), nil
}

// owner is the name in "Authorization: Bearer NAME", "" without one. It stands for the identity that a real service has verified:
// a key that the client chooses would be a quota that the client chooses.
func owner(r *http.Request) string {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(name)
}

// Balancer hands requests to the instances in turn. It can be so simple because the instances keep nothing that another one needs.
type Balancer struct {
	instances []http.Handler
	next      atomic.Uint64 // counted up by every request; nobody relies on anything but its distinct values
}

// NewBalancer balances over at least one instance.
func NewBalancer(instances ...http.Handler) *Balancer { return &Balancer{instances: instances} }

// ServeHTTP implements http.Handler.
func (b *Balancer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.instances[(b.next.Add(1)-1)%uint64(len(b.instances))].ServeHTTP(w, r)
}
