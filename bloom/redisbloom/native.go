package redisbloom

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/sysblocks/sysblocks/bloom"
)

// Native drives the Bloom filter commands of the server (Redis 8, Redis Stack, the Valkey Bloom module): BF.RESERVE,
// BF.ADD, BF.EXISTS. The server hashes the items, so that other clients see the same ones. Use it where such clients
// exist; Filter works on every server, in larger batches, and its bits can be loaded (see the package's Limits for how far this type is
// tested). All methods are safe for
// concurrent use.
type Native struct {
	do   server
	name string
}

// NewNative reserves the filter, or attaches to the one of that name, whose capacity and rate are then what they are: the
// commands do not tell them. Arguments are checked as for bloom.New. A server without the commands is ErrUnsupported.
func NewNative[R Reply](ctx context.Context, do func(ctx context.Context, args ...any) R, name string, capacity uint64, rate float64) (*Native, error) {
	if _, _, err := plan(name, capacity, rate, Options{MaxBytes: math.MaxUint64}); err != nil {
		return nil, err
	}
	if capacity > math.MaxInt64 {
		return nil, fmt.Errorf("%w: %d keys", bloom.ErrTooLarge, capacity)
	}
	n := &Native{do: connect(do), name: name}
	v, err := n.do(ctx, "BF.RESERVE", name, strconv.FormatFloat(rate, 'f', -1, 64), strconv.FormatUint(capacity, 10))
	switch {
	case err == nil:
		err = okay(v)
	case strings.Contains(err.Error(), "item exists"):
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return n, nil
}

// Add adds item.
func (n *Native) Add(ctx context.Context, item string) error {
	_, err := n.TestAndAdd(ctx, item)
	return err
}

// Test reports whether item may be in the filter: false, nil means certainly absent.
func (n *Native) Test(ctx context.Context, item string) (bool, error) {
	return n.ask(ctx, "BF.EXISTS", item)
}

// TestAndAdd is Test, then Add, as one step on the server.
func (n *Native) TestAndAdd(ctx context.Context, item string) (bool, error) {
	fresh, err := n.ask(ctx, "BF.ADD", item)
	return err == nil && !fresh, err
}

// ask decodes a truth value: an integer in RESP2, a boolean in RESP3.
func (n *Native) ask(ctx context.Context, command, item string) (bool, error) {
	v, err := n.do(ctx, command, n.name, item)
	if err != nil {
		return false, err
	}
	if b, ok := v.(bool); ok {
		return b, nil
	}
	i, err := number(v, 0, 1)
	return i == 1, err
}
