package session

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"
)

// A stamped token is a token, a dot, and the version of the browser's last save in base 36: T.1f. The stamp is no secret
// and not authenticated. A larger one than is true costs a read of the primary, a smaller one shows its sender older
// data of his own. It is written if the store reads from replicas, and understood always, so that replicas may come
// and go without logging anybody out.

// stamped appends the stamp.
func (m *Manager[T]) stamped(token string, version uint64) string {
	if !m.lagging || token == "" {
		return token
	}
	return token + "." + strconv.FormatUint(version, 36)
}

// cutStamp takes the stamp off; 0 if there is none. A stamp has one spelling; of any other, the token keeps it and is
// malformed.
func cutStamp(token string) (bare string, version uint64) {
	bare, stamp, found := strings.Cut(token, ".")
	if !found {
		return token, 0
	}
	version, err := strconv.ParseUint(stamp, 36, 64)
	if err != nil || version == 0 || strconv.FormatUint(version, 36) != stamp {
		return token, 0
	}
	return bare, version
}

// fresh loads a record of that version or a later one, if the store can tell. found is false for a record that does
// not open: it is not an outage, and asking again would not help.
func (m *Manager[T]) fresh(ctx context.Context, id ID, version uint64) (rec Record, found bool, err error) {
	if version > 0 {
		rec, err = loadAtLeast(ctx, m.store, id, version)
	} else {
		rec, err = m.store.Load(ctx, id)
	}
	if errors.Is(err, ErrForged) {
		return Record{}, false, nil
	}
	return rec, err == nil, err
}

// outdated tells that a secret is wrong by a record that may be older than the secret: a login or a renewal in another
// process has made it, and a cache or a replica has not heard yet. Without a second look, the browser would be logged
// out until it has.
func (m *Manager[T]) outdated(st *state, hash *[sha256.Size]byte) bool {
	return m.versions && subtle.ConstantTimeCompare(hash[:], st.env.hash[:]) != 1
}
