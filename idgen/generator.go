package idgen

import "context"

// Generator hands out unique IDs and is safe for concurrent use.
type Generator interface {
	// Next returns one ID. It looks at ctx only when it has to wait or to ask a store.
	Next(ctx context.Context) (ID, error)
	// Fill writes ascending IDs. dst[:n] are valid and taken even when err != nil.
	Fill(ctx context.Context, dst []ID) (n int, err error)
}

// noCopy makes go vet report copies of a generator: a copied word would hand out the same slots twice.
type noCopy struct{}

// Lock is here for go vet's copylocks check.
func (*noCopy) Lock() {}

// Unlock is here for go vet's copylocks check.
func (*noCopy) Unlock() {}
