package member

import (
	"context"
	"errors"
	"fmt"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/examples/kvstore/wire"
)

// Answer is what one node said.
type Answer struct {
	ID      string
	Entries []storage.Entry
	Err     error
}

// Newest is the newest entry of the answers; none if no node has one.
func Newest(got []Answer) (newest []storage.Entry) {
	for _, a := range got {
		if len(a.Entries) > 0 && (newest == nil || a.Entries[0].Stamp.Compare(newest[0].Stamp) > 0) {
			newest = a.Entries[:1]
		}
	}
	return newest
}

// Gather reads answers until there are enough in every set, or there cannot be. An answer from another view ends it: nothing may be
// counted together that belongs to different memberships.
func (q Quorums) Gather(ctx context.Context, answers <-chan Answer, need int) (got []Answer, err error) {
	var answered, failed []string
	for {
		select {
		case a := <-answers:
			got = append(got, a)
			switch {
			case errors.Is(a.Err, wire.ErrStale):
				return nil, wire.ErrStale
			case a.Err != nil:
				failed = append(failed, a.ID)
				if _, refused := errors.AsType[*wire.RefusedError](err); !refused { // what can be cured counts more than a death
					err = a.Err
				}
			default:
				answered = append(answered, a.ID)
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if q.Reached(answered, need) {
			return got, nil
		}
		if q.Hopeless(failed, need) {
			return nil, fmt.Errorf("%w: %d failed, last: %w", wire.ErrUnavailable, len(failed), err)
		}
	}
}
