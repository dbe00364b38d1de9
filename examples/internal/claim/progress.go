package claim

import (
	"bytes"
	"io"
	"os"
	"sync"
	"time"
)

// progress writes the newest of the lines it is given: on a terminal in place, ten times a second; elsewhere, for a log, as a line
// every second. Work that takes less than the interval shows nothing.
type progress struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	last     time.Time
	shown    bool
}

func newProgress(w io.Writer) *progress {
	return &progress{w: w, terminal: terminal(w), last: time.Now()}
}

func (p *progress) Write(line []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	interval := time.Second
	if p.terminal {
		interval = time.Second / 10
	}
	if now := time.Now(); now.Sub(p.last) >= interval {
		p.last = now
		line := bytes.TrimSpace(line)
		text := append(append([]byte("  "), line...), '\n')
		if p.terminal {
			text = append([]byte("\r\x1b[K  "), line...)
			p.shown = true
		}
		if _, err := p.w.Write(text); err != nil {
			return 0, err
		}
	}
	return len(line), nil
}

// clear removes the line in place, so that a verdict can be printed.
func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		p.shown = false
		_, _ = p.w.Write([]byte("\r\x1b[K")) // cosmetic
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
