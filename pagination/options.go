package pagination

import (
	"context"
	"fmt"
	"time"
)

const (
	defaultLimit      = 20
	defaultMaxLimit   = 100
	maxMaxLimit       = 1 << 20
	defaultMaxOffset  = 10_000 // an engine reads and throws away this many rows
	defaultCountLimit = 10_000
	defaultExamined   = 20 // pages of the request's limit
)

// Options of a [Pager]. The zero value serves pages of 20 to 100 rows in one
// order, without filters or counts, with plain tokens.
type Options[T any] struct {
	Limit     int // rows per page when the request names none; default 20, at most MaxLimit
	MaxLimit  int // larger requests are clamped; default 100 (or Limit, if that is more), at most 1<<20
	MaxOffset int // deepest offset, or first row of a page number; default 10_000, -1 refuses both

	Sort   []string // keys that Request.Sort may name; none: Request.Sort is refused
	Filter []string // keys that Pager.Filter accepts; none: all are refused

	Codec *Codec // nil makes plain tokens

	Count      CountMode // needs a Source that is a Counter, else ErrUnsupported
	CountLimit int64     // CountCapped counts no further; default 10_000

	// ExactEnds probes the far side of a page with one more seek for one row,
	// instead of assuming that rows are there. It cannot see what Keep hides.
	ExactEnds bool
	// Settle hides rows younger than this. The first key of the order must be a
	// time, and the clocks of writers must agree within Settle. Default 0.
	Settle time.Duration
	// Keep says which of the rows that were read the caller may see. Pages are
	// filled by further reads. It excludes Count, which would tell what it hides.
	Keep func(ctx context.Context, rows []T) ([]bool, error)
	// MaxExamined bounds the rows read for one page with Keep; default 20 pages.
	MaxExamined int
}

// check fills in the defaults and reports the first field out of range.
func (opt *Options[T]) check(o *Order[T], s Source[T]) error {
	if opt.Limit == 0 {
		opt.Limit = defaultLimit
		if opt.MaxLimit > 0 {
			opt.Limit = min(opt.Limit, opt.MaxLimit)
		}
	}
	if opt.MaxLimit == 0 {
		opt.MaxLimit = max(defaultMaxLimit, opt.Limit)
	}
	if opt.MaxOffset == 0 {
		opt.MaxOffset = defaultMaxOffset
	}
	if opt.CountLimit == 0 {
		opt.CountLimit = defaultCountLimit
	}
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: Options."+format, append([]any{ErrInvalid}, args...)...)
	}
	switch {
	case opt.MaxLimit < 1 || opt.MaxLimit > maxMaxLimit:
		return bad("MaxLimit is %d, want 1 to %d", opt.MaxLimit, maxMaxLimit)
	case opt.Limit < 1 || opt.Limit > opt.MaxLimit:
		return bad("Limit is %d, want 1 to MaxLimit, which is %d", opt.Limit, opt.MaxLimit)
	case opt.MaxOffset < -1:
		return bad("MaxOffset is %d, want -1 or more", opt.MaxOffset)
	case opt.CountLimit < 1:
		return bad("CountLimit is %d, want at least 1", opt.CountLimit)
	case opt.MaxExamined < 0:
		return bad("MaxExamined is %d, want at least 0", opt.MaxExamined)
	case opt.Count > CountEstimated:
		return bad("Count is %d, want one of the modes", opt.Count)
	case opt.Count != CountNone && opt.Keep != nil:
		return bad("Count would count the rows that Options.Keep hides")
	case opt.Settle < 0:
		return bad("Settle is %v, want at least 0", opt.Settle)
	case opt.Settle > 0 && o.terms[0].Key.Kind != KindTime:
		return bad("Settle needs an order whose first key is a time, not %s", o.terms[0].Key.Name)
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"Sort", opt.Sort}, {"Filter", opt.Filter}} {
		for _, name := range list.names {
			if _, ok := o.Key(name); !ok {
				return bad("%s names %q, which is no key of the order", list.field, name)
			}
		}
	}
	if _, ok := s.(Counter[T]); !ok && opt.Count != CountNone {
		return fmt.Errorf("%w: Options.Count, by %T", ErrUnsupported, s)
	}
	return nil
}
