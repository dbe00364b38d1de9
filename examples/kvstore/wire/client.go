package wire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

// The limits of a client's arguments and of an answer.
const (
	MaxKey   = 1 << 10 // bytes
	MaxValue = 1 << 20 // bytes
	PageSize = 1000    // keys in one listing
)

// Client sends operations to any node and, when that fails, to the next. That is safe: a write that is done twice is done once
// with a newer stamp. It is safe for concurrent use.
type Client struct {
	peers *Peers
	nodes []string
	turn  atomic.Uint64 // advanced by each operation, so that they spread over the nodes
}

// NewClient makes a client of these nodes.
func NewClient(nodes []string, dial Dial) *Client {
	return &Client{peers: NewPeers(dial), nodes: nodes}
}

// Close ends the client's connections.
func (c *Client) Close() { c.peers.Close() }

// Put stores a value. On nil it is in the logs of W replicas.
func (c *Client) Put(ctx context.Context, key string, value []byte) error {
	if err := check(key); err != nil {
		return err
	}
	if len(value) > MaxValue {
		return fmt.Errorf("%w: value of %d bytes, limit %d", ErrInvalid, len(value), MaxValue)
	}
	_, err := c.do(ctx, ClientPut, storage.Entry{Key: key, Value: value}.AppendTo(nil))
	return err
}

// Delete removes a key. It writes a tombstone, and so succeeds for a key that was never there.
func (c *Client) Delete(ctx context.Context, key string) error {
	if err := check(key); err != nil {
		return err
	}
	_, err := c.do(ctx, ClientPut, storage.Entry{Key: key, Deleted: true}.AppendTo(nil))
	return err
}

// Get returns the newest version that R replicas know of.
func (c *Client) Get(ctx context.Context, key string) (e storage.Entry, found bool, err error) {
	if err := check(key); err != nil {
		return storage.Entry{}, false, err
	}
	entries, err := c.do(ctx, ClientGet, []byte(key))
	if err != nil || len(entries) == 0 || entries[0].Deleted {
		return storage.Entry{}, false, err
	}
	return entries[0], true, nil
}

// Keys lists keys with a prefix, in order, after the given one. A page without more ends the listing; the next one begins after
// its last key.
func (c *Client) Keys(ctx context.Context, prefix, after string) (keys []string, next string, err error) {
	if strings.ContainsRune(prefix+after, 0) {
		return nil, "", fmt.Errorf("%w: a key has no zero byte", ErrInvalid)
	}
	entries, err := c.do(ctx, ClientKeys, JoinKeys(prefix, after))
	for _, e := range entries {
		if !e.Deleted {
			keys = append(keys, e.Key)
		}
		next = e.Key
	}
	if len(entries) < PageSize {
		next = ""
	}
	return keys, next, err
}

func check(key string) error {
	if key == "" || len(key) > MaxKey || strings.ContainsRune(key, 0) {
		return fmt.Errorf("%w: a key has 1 to %d bytes, none of them zero", ErrInvalid, MaxKey)
	}
	return nil
}

// do returns the first success. When every node fails, the operation is unavailable: no node answers, or none has a quorum.
func (c *Client) do(ctx context.Context, k Kind, body []byte) (entries []storage.Entry, err error) {
	first := c.turn.Add(1)
	for i := range uint64(len(c.nodes)) {
		to := c.nodes[(first+i)%uint64(len(c.nodes))]
		var m Message
		if m, err = c.peers.Call(ctx, to, Message{Kind: k, Body: body}); err == nil {
			if entries, err = m.Result(); err == nil {
				return entries, nil
			}
		}
		if ctx.Err() != nil {
			return nil, err
		}
	}
	if !errors.Is(err, ErrUnavailable) {
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil, err
}
