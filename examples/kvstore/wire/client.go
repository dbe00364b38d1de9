package wire

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
	"github.com/sysblocks/sysblocks/idgen"
)

// The limits of a client's arguments and of an answer.
const (
	MaxKey   = 1 << 10 // bytes
	MaxValue = 1 << 20 // bytes
	PageSize = 1000    // keys in one listing
)

// Client sends operations to any node and, when that fails, to the next. It is safe for concurrent use.
type Client struct {
	// IDs names each change, so that a store which knows names does a repeated one once. Without it every repetition is a change of
	// its own: harmless where the newest stamp wins, since it only has a newer one.
	IDs *idgen.Snowflake

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
	_, err := c.Change(ctx, Change{How: Set, Entry: storage.Entry{Key: key, Value: value}})
	return err
}

// PutIf stores a value if the present version is this one; the zero version means that there is none. Else it returns ErrConflict.
func (c *Client) PutIf(ctx context.Context, key string, value []byte, version storage.Stamp) (storage.Stamp, error) {
	return c.Change(ctx, Change{How: SetIf, Entry: storage.Entry{Key: key, Value: value, Stamp: version}})
}

// Add adds to a number that is stored in decimal.
func (c *Client) Add(ctx context.Context, key string, delta int64) error {
	_, err := c.Change(ctx, Change{How: Add, Entry: storage.Entry{Key: key, Value: strconv.AppendInt(nil, delta, 10)}})
	return err
}

// Delete removes a key. It writes a tombstone, and so succeeds for a key that was never there.
func (c *Client) Delete(ctx context.Context, key string) error {
	_, err := c.Change(ctx, Change{How: Set, Entry: storage.Entry{Key: key, Deleted: true}})
	return err
}

// Change makes any change and returns the version that it has made, if that is known and still there. ErrUnavailable leaves open whether the
// change was made.
func (c *Client) Change(ctx context.Context, ch Change) (version storage.Stamp, err error) {
	if err := check(ch.Entry.Key); err != nil {
		return version, err
	}
	if n := len(ch.Entry.Value); n > MaxValue {
		return version, fmt.Errorf("%w: value of %d bytes, limit %d", ErrInvalid, n, MaxValue)
	}
	if ch.ID == 0 && c.IDs != nil {
		id, err := c.IDs.Next(ctx)
		if err != nil {
			return version, err
		}
		ch.ID = uint64(id)
	}
	entries, err := c.do(ctx, ClientPut, ch.Encode())
	if len(entries) > 0 {
		version = entries[0].Stamp
	}
	return version, err
}

// Versions returns what a key has: nothing, one version, or several that know nothing of each other. The Stamp of each is the
// version to name in PutIf, which then replaces them all.
func (c *Client) Versions(ctx context.Context, key string) (versions []storage.Entry, err error) {
	if err := check(key); err != nil {
		return nil, err
	}
	entries, err := c.do(ctx, ClientGet, []byte(key))
	for _, e := range entries {
		if !e.Deleted {
			versions = append(versions, e)
		}
	}
	return versions, err
}

// Get returns the version of a key, if there is one; of several, the first.
func (c *Client) Get(ctx context.Context, key string) (e storage.Entry, found bool, err error) {
	versions, err := c.Versions(ctx, key)
	if err != nil || len(versions) == 0 {
		return storage.Entry{}, false, err
	}
	return versions[0], true, nil
}

// Keys lists the keys with a prefix that follow the given one, in order. It looks at limit keys, at most PageSize; deleted ones among
// them are left out. The next page begins after next; none if that is empty.
func (c *Client) Keys(ctx context.Context, prefix, after string, limit int) (keys []string, next string, err error) {
	if strings.ContainsRune(prefix+after, 0) {
		return nil, "", fmt.Errorf("%w: a key has no zero byte", ErrInvalid)
	}
	if limit < 1 || limit > PageSize {
		return nil, "", fmt.Errorf("%w: %d keys, want 1 to %d", ErrInvalid, limit, PageSize)
	}
	entries, err := c.do(ctx, ClientKeys, JoinKeys(prefix, after, limit))
	for _, e := range entries {
		if !e.Deleted {
			keys = append(keys, e.Key)
		}
		next = e.Key
	}
	if len(entries) < limit {
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
			entries, err = m.Result()
			if err == nil || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) { // no other node would say otherwise
				return entries, err
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
