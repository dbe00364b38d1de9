package session

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
)

// A client-side token is base64url of the sealed
//
//	ID 16 ‖ length and bytes of the user ID ‖ created ‖ expires ‖ deadline ‖ envelope ‖ data
//
// where the seal binds it to the transport and the format.

func (st *state) appendSealed(dst []byte) []byte {
	dst = append(dst, st.id[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(st.userID)))
	dst = append(dst, st.userID...)
	dst = binary.AppendVarint(dst, st.created)
	dst = binary.AppendVarint(dst, st.expires)
	dst = binary.AppendVarint(dst, st.deadline)
	st.env.sealed = true
	dst = st.env.append(dst)
	return append(dst, st.data...)
}

func decodeSealed(plain string) (st state, ok bool) {
	r := reader{rest: plain}
	copy(st.id[:], r.bytes(len(st.id)))
	n := r.uvarint()
	if n > maxLabel {
		return st, false
	}
	st.userID = r.bytes(int(n))
	st.created, st.expires, st.deadline = r.varint(), r.varint(), r.varint()
	if r.bad {
		return st, false
	}
	st.data, ok = st.env.decode(r.rest)
	st.version = 1 // there is no store to count; it tells "exists" from "new"
	return st, ok && st.env.sealed
}

// unseal is open for the client side.
func (m *Manager[T]) unseal(ctx context.Context, s *Session[T], token string, via uint8, t int64) verdict {
	enc := base64.RawURLEncoding
	sealed := make([]byte, enc.DecodedLen(len(token)))
	n, err := enc.Decode(sealed, []byte(token))
	if err != nil || n != len(sealed) || n < sealedExtra || !canonical(token, sealed) {
		return verdictMalformed
	}
	plain, first, err := m.keys.Open(nil, sealed, m.aad[via])
	if err != nil {
		m.forged(ctx, ID{}, "")
		return verdictForged
	}
	st, ok := decodeSealed(string(plain))
	if !ok {
		return verdictMalformed
	}
	if st.expires <= t || st.deadline <= t || st.env.saved > t+clockSlack.Milliseconds() {
		return verdictUnknown
	}
	s.base, s.data = st, st.data
	s.send = !first // sealed anew under the first key
	return verdictGood
}

// canonical tells whether the unused bits of the last character are zero. (Characters that the decoder skips
// have shown in the length.)
func canonical(token string, raw []byte) bool {
	tail := raw[len(raw)-len(raw)%3:]
	return len(tail) == 0 || token[len(token)-len(tail)-1:] == base64.RawURLEncoding.EncodeToString(tail)
}

func (m *Manager[T]) sealToken(st state, via uint8) string {
	return base64.RawURLEncoding.EncodeToString(m.keys.Seal(nil, st.appendSealed(nil), m.aad[via]))
}

// fits checks that a client-side session can be sent at all.
func (m *Manager[T]) fits(st state, via uint8) error {
	f, ok := m.transports[via].(transportFacts)
	if !ok || f.room() == 0 {
		return nil
	}
	size := base64.RawURLEncoding.EncodedLen(len(st.appendSealed(nil)) + sealedExtra)
	if size > f.room() {
		return fmt.Errorf("%w: %d characters sealed, a cookie of that name holds %d", ErrTooLarge, size, f.room())
	}
	return nil
}
