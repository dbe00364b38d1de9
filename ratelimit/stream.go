package ratelimit

import (
	"context"
	"io"
)

// NewReader returns a reader of r at l's pace: n bytes are n tokens, waited for after they were read, so that none
// are charged that did not come. A read asks r for at most a burst. An error of the wait is returned with the bytes.
func NewReader(ctx context.Context, r io.Reader, l Limiter) io.Reader {
	return &reader{ctx: ctx, r: r, l: l}
}

// NewWriter returns a writer to w at l's pace: n bytes are n tokens, waited for before they are written, at most a burst
// at a time. Write returns how many bytes went out before an error.
func NewWriter(ctx context.Context, w io.Writer, l Limiter) io.Writer {
	return &writer{ctx: ctx, w: w, l: l}
}

type reader struct {
	ctx context.Context
	r   io.Reader
	l   Limiter
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p[:r.l.chunk(len(p))])
	if n > 0 {
		if waitErr := r.l.WaitN(r.ctx, n); waitErr != nil {
			return n, waitErr
		}
	}
	return n, err
}

type writer struct {
	ctx context.Context
	w   io.Writer
	l   Limiter
}

func (w *writer) Write(p []byte) (written int, err error) {
	for {
		part := p[written : written+w.l.chunk(len(p)-written)]
		if err := w.l.WaitN(w.ctx, len(part)); err != nil {
			return written, err
		}
		n, err := w.w.Write(part)
		written += n
		if err != nil || written == len(p) {
			return written, err
		}
		if n < len(part) {
			return written, io.ErrShortWrite
		}
	}
}

// chunk is n, cut to the smallest burst.
func (l Limiter) chunk(n int) int {
	p := l.bucket().q.params.Load()
	for i := range p.axes {
		n = int(min(uint64(n), p.axes[i].tokens))
	}
	return n
}
