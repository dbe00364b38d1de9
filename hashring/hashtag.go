package hashring

import "strings"

// slots is the number of slots of a Redis Cluster.
const slots = 16384

// HashTag returns the part of the key that Redis Cluster hashes: what stands between the first '{' and the
// next '}', if that is at least one byte; otherwise the whole key.
// Keys with one tag land on one node: HashTag("{user:42}:cart") is "user:42".
func HashTag(key string) string {
	_, rest, _ := strings.Cut(key, "{")
	if end := strings.IndexByte(rest, '}'); end > 0 {
		return rest[:end]
	}
	return key
}

// Slot returns the Redis Cluster slot of a key, 0 … 16383: CRC16(HashTag(key)) mod 16384.
func Slot(key string) int { return int(crc16(HashTag(key)) % slots) }

// crc16 is CRC-16/XMODEM, the one of the Redis Cluster specification: polynomial 0x1021, start 0, not
// reflected. One byte a step without a table: the byte's quotient is folded into itself (x⁴) and then
// multiplied by the polynomial, x¹² + x⁵ + 1, by shifts.
func crc16(s string) uint16 {
	var crc uint16
	for i := range len(s) {
		x := crc>>8 ^ uint16(s[i])
		x ^= x >> 4
		crc = crc<<8 ^ x<<12 ^ x<<5 ^ x
	}
	return crc
}
