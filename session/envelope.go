package session

import (
	"crypto/sha256"
	"encoding/binary"
)

// The payload of a record is an envelope followed by the data:
//
//	format 1 byte ‖ flags 1 byte ‖ generation ‖ secret hash 32 ‖ auth time ‖ saved ‖ rotated ‖
//	idle ‖ absolute ‖ length and bytes of the device label ‖ [previous hash 32 ‖ end of its grace] ‖ data
//
// Numbers are varints, times are milliseconds since 1970. A sealed cookie has flagSealed instead of the hash
// and the time of rotation: the seal proves what the secret would.

const (
	envelopeFormat = 1

	flagRemember = 1 << 0
	flagPrevious = 1 << 1 // a previous secret in its grace: for periodic rotation
	flagSealed   = 1 << 2
	flagsKnown   = flagRemember | flagPrevious | flagSealed

	maxLabel = 255 // bytes of a device label or of a user ID
)

type envelope struct {
	remember   bool
	sealed     bool
	previous   bool
	generation uint64            // raised by Login and Renew: older requests must not save
	hash       [sha256.Size]byte // of the secret
	auth       int64             // time of the login; 0 = anonymous
	saved      int64             // time of the last save
	rotated    int64             // time since which the secret is in use
	idle       int64             // ms; 0 = the manager's, negative = no limit
	absolute   int64             // ms; 0 = the manager's
	device     []byte            // never changed after decoding
	prevHash   [sha256.Size]byte
	grace      int64 // end of the previous secret's grace
}

func (e *envelope) append(dst []byte) []byte {
	var flags byte
	if e.remember {
		flags |= flagRemember
	}
	if e.previous {
		flags |= flagPrevious
	}
	if e.sealed {
		flags |= flagSealed
	}
	dst = append(dst, envelopeFormat, flags)
	dst = binary.AppendUvarint(dst, e.generation)
	if !e.sealed {
		dst = append(dst, e.hash[:]...)
	}
	dst = binary.AppendVarint(dst, e.auth)
	dst = binary.AppendVarint(dst, e.saved)
	if !e.sealed {
		dst = binary.AppendVarint(dst, e.rotated)
	}
	dst = binary.AppendVarint(dst, e.idle)
	dst = binary.AppendVarint(dst, e.absolute)
	dst = binary.AppendUvarint(dst, uint64(len(e.device)))
	dst = append(dst, e.device...)
	if e.previous {
		dst = append(dst, e.prevHash[:]...)
		dst = binary.AppendVarint(dst, e.grace)
	}
	return dst
}

// decodeEnvelope is strict: an unknown format or flag, a number with needless bytes or a short input is refused.
// data and the device label share the memory of payload.
func decodeEnvelope(payload []byte) (e envelope, data []byte, ok bool) {
	if len(payload) < 2 || payload[0] != envelopeFormat || payload[1]&^flagsKnown != 0 {
		return e, nil, false
	}
	flags := payload[1]
	e.remember, e.previous, e.sealed = flags&flagRemember != 0, flags&flagPrevious != 0, flags&flagSealed != 0
	r := reader{rest: payload[2:]}
	e.generation = r.uvarint()
	if !e.sealed {
		copy(e.hash[:], r.bytes(len(e.hash)))
	}
	e.auth, e.saved = r.varint(), r.varint()
	if !e.sealed {
		e.rotated = r.varint()
	}
	e.idle, e.absolute = r.varint(), r.varint()
	n := r.uvarint()
	if n > maxLabel {
		return e, nil, false
	}
	e.device = r.bytes(int(n))
	if e.previous {
		copy(e.prevHash[:], r.bytes(len(e.prevHash)))
		e.grace = r.varint()
	}
	return e, r.rest, !r.bad
}

// reader takes fields off a byte slice; after the first that is wrong, bad is set and everything is zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) bytes(n int) []byte {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if r.bad || n <= 0 || n > 1 && r.rest[n-1] == 0 { // a last byte of zero adds nothing: not the shortest form
		r.bad = true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}
