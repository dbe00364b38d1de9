package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/bloom"
	"github.com/sysblocks/sysblocks/idgen"
)

// Fanout is what a consumer does with messages.
type Fanout struct {
	copies Copies
	seen   *bloom.Window
	looked atomic.Int64 // looks into the store; read by Looked
}

// NewFanout makes the work of one consumer.
func NewFanout(copies Copies) (*Fanout, error) {
	// A producer that got no answer sends again within minutes; what it has sent twice before that is found by the store as well.
	seen, err := bloom.NewWindow(100_000, 0.001, 5*time.Minute, bloom.Options{})
	return &Fanout{copies: copies, seen: seen}, err
}

// Handle delivers a post to those who follow its author. again says that the message has been given to a consumer before, which may
// have done the work and died before it could say so. A post that is delivered already must not wait for the lock of the log; but to
// ask first costs a read for each message. The filter says of nearly all of them that they are certainly new. It decides nothing:
// the mark in the store does.
func (f *Fanout) Handle(ctx context.Context, body []byte, again bool) error {
	id, author, err := Subject(body)
	if err != nil {
		return err
	}
	if f.seen.TestAndAdd(bloom.Uint64(uint64(id))) || again {
		f.looked.Add(1)
		if done, err := f.copies.Primary().Fanned(ctx, id); done || err != nil {
			return err
		}
	}
	_, err = f.copies.Write(ctx, Change{Kind: Delivered, ID: id, Author: author})
	return err
}

// Subject says which post a message asks to deliver.
func Subject(body []byte) (id idgen.ID, author string, err error) {
	var p Post
	if err := json.Unmarshal(body, &p); err != nil || p.ID <= 0 || p.Author == "" {
		return 0, "", fmt.Errorf("%w: %.40q", ErrMalformed, body)
	}
	return p.ID, p.Author, nil
}

// Looked is how often the store was asked whether a post had been delivered.
func (f *Fanout) Looked() int64 { return f.looked.Load() }
