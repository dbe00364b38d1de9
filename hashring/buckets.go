package hashring

// Modulo returns the bucket token mod n, 0 … n-1; -1 when n < 1.
// It is even, but growing from n to n+1 buckets moves n/(n+1) of the keys.
// The caller hashes: Modulo(Hash(key), n).
func Modulo(token uint64, n int) int {
	if n < 1 {
		return -1
	}
	return int(token % uint64(n))
}

// Jump returns the bucket of the jump consistent hash of Lamping and Veach, 0 … n-1; -1 when n < 1.
// It needs no memory, is perfectly even, and growing from n to n+1 buckets moves 1/(n+1) of the keys, all of
// them to the new bucket; but only the last bucket can be removed, and there are no weights.
// The caller hashes: Jump(Hash(key), n).
func Jump(token uint64, n int) int {
	if n < 1 {
		return -1
	}
	var bucket, next int64 = -1, 0
	for next < int64(n) {
		bucket = next
		token = token*2862933555777941757 + 1
		next = int64(float64(bucket+1) * (float64(1<<31) / float64(token>>33+1)))
	}
	return int(bucket)
}
