package hashringrows

import (
	authzed "github.com/authzed/consistent/hashring"
	"github.com/cespare/xxhash/v2"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// member is a node of the peer.
type member string

func (m member) Key() string { return string(m) }

func newAuthzed(z sizes) *authzed.Ring {
	r := authzed.MustNew(xxhash.Sum64, points)
	for _, id := range names(z.nodes) {
		if err := r.Add(member(id)); err != nil {
			panic(err)
		}
	}
	return r
}

// authzedRun takes its keys as bytes, as the peer wants them.
func authzedRun(z sizes, replicas uint8) func(at, n int) {
	r := newAuthzed(z)
	keys := keyBytes(few)
	return func(at, n int) {
		for i := at; i < at+n; i++ {
			if _, err := r.FindN(keys[i&(few-1)], replicas); err != nil {
				panic(err)
			}
		}
	}
}

func authzedFind(z sizes, replicas uint8) harness.Contender {
	return harness.Contender{Name: "authzed", Setup: func() (harness.Op, func(), error) {
		run, at := authzedRun(z, replicas), 0
		return func(n int) {
			run(at, n)
			at += n
		}, nil, nil
	}}
}

func authzedParallelGet(z sizes) parallelContender {
	return parallelContender{name: "authzed", setup: func() func(at, n int) { return authzedRun(z, 1) }}
}

func authzedGet(z sizes) harness.Contender { return authzedFind(z, 1) }

func authzedFindN(z sizes) harness.Contender { return authzedFind(z, 3) }

func authzedAddRemove(z sizes) harness.Contender {
	return harness.Contender{Name: "authzed", Setup: func() (harness.Op, func(), error) {
		r := newAuthzed(z)
		return func(n int) {
			for range n {
				if err := r.Add(member("joiner")); err != nil {
					panic(err)
				}
				if err := r.Remove(member("joiner")); err != nil {
					panic(err)
				}
			}
		}, nil, nil
	}}
}
