package ratelimit

import "context"

// Backend is the decision itself, not a store; middleware needs nothing more. The package limittest checks an
// implementation.
type Backend interface {
	// Take charges n tokens of key, all or none. It returns an error when it could not decide, and obeys ctx.
	Take(ctx context.Context, key string, n int) (Decision, error)
	// Limits returns the limits of every key.
	Limits() []Limit
}

// Local makes a table a Backend. Its Take fails only with the error of a context that is done.
func Local(k *Keyed[string]) Backend { return local{k} }

type local struct{ k *Keyed[string] }

func (l local) Take(ctx context.Context, key string, n int) (Decision, error) {
	if err := ctx.Err(); err != nil {
		return Decision{}, err
	}
	return l.k.Take(key, n), nil
}

func (l local) Limits() []Limit { return l.k.Limits() }
