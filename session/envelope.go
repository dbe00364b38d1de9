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

	// maxEnvelope bounds the envelope without the label: two hashes and eight varints of at most ten bytes.
	maxEnvelope = 2 + 2*sha256.Size + 8*binary.MaxVarintLen64
)

type envelope struct {
	remember   bool
	sealed     bool
	generation uint64            // raised by Login and Renew: older requests must not save
	hash       [sha256.Size]byte // of the secret
	auth       int64             // time of the login; 0 = anonymous
	saved      int64             // time of the last save
	rotated    int64             // time since which the secret is in use
	idle       int64             // ms; 0 = the manager's, negative = no limit
	absolute   int64             // ms; 0 = the manager's
	device     string
	previous   *previous // nil = the secret before this one is no good: since a login or renewal, or always
}

// previous is the secret that a periodic rotation has replaced.
type previous struct {
	hash  [sha256.Size]byte
	grace int64 // until when it is good
}

func (e *envelope) append(dst []byte) []byte {
	var flags byte
	if e.remember {
		flags |= flagRemember
	}
	if e.previous != nil {
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
	if e.previous != nil {
		dst = append(dst, e.previous.hash[:]...)
		dst = binary.AppendVarint(dst, e.previous.grace)
	}
	return dst
}

// decodeEnvelope is strict: an unknown format or flag, a number with needless bytes or a short input is refused.
// data and the device label share the memory of payload. e is zero before.
func (e *envelope) decode(payload string) (data string, ok bool) {
	if len(payload) < 2 || payload[0] != envelopeFormat || payload[1]&^flagsKnown != 0 {
		return "", false
	}
	flags := payload[1]
	e.remember, e.sealed = flags&flagRemember != 0, flags&flagSealed != 0
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
		return "", false
	}
	e.device = r.bytes(int(n))
	if flags&flagPrevious != 0 {
		e.previous = new(previous)
		copy(e.previous.hash[:], r.bytes(len(e.previous.hash)))
		e.previous.grace = r.varint()
	}
	return r.rest, !r.bad
}

// reader takes fields off an encoding; after the first that is wrong, bad is set and everything is zero.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) bytes(n int) string {
	if r.bad || n > len(r.rest) {
		r.bad = true
		return ""
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

// uvarint reads what binary.AppendUvarint writes, and nothing else.
func (r *reader) uvarint() (v uint64) {
	for i := 0; !r.bad && i < len(r.rest) && i < binary.MaxVarintLen64; i++ {
		b := r.rest[i]
		v |= uint64(b&0x7f) << (7 * i)
		if b >= 0x80 {
			continue
		}
		if i > 0 && b == 0 || i == binary.MaxVarintLen64-1 && b > 1 {
			break // a last byte of zero adds nothing: not the shortest form; a tenth byte holds one bit
		}
		r.rest = r.rest[i+1:]
		return v
	}
	r.bad = true
	return 0
}

func (r *reader) varint() int64 {
	u := r.uvarint()
	v := int64(u >> 1)
	if u&1 != 0 {
		v = ^v
	}
	return v
}
