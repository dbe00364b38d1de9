package idgen

import "context"

// Fill writes len(dst) ascending IDs of shard 0. It takes what one tick offers in one atomic operation, so that it
// delays others by at most a tick at a time. dst[:n] are valid and taken even when err != nil.
func (s *Snowflake) Fill(ctx context.Context, dst []ID) (n int, err error) {
	for n < len(dst) {
		w, slot, k, err := s.take(ctx, uint64(len(dst)-n))
		if err != nil {
			return n, err
		}
		id, step := s.pack(w, slot, 0), ID(1)<<s.seqPos
		for i := range dst[n : n+int(k)] {
			dst[n+i] = id
			id += step
		}
		n += int(k)
	}
	if s.win.Load() == nil {
		return n, ErrClosed
	}
	return n, nil
}
