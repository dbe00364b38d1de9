package session

import "sync"

// holds are locks that may be held during I/O of a store. Who waits for one waits on a channel and not on a mutex:
// in a testing/synctest bubble, time goes on meanwhile.
type holds struct {
	mu      sync.Mutex
	load    bool // a Get loads the session
	header  bool // the header is being sent, or must not be sent yet
	waiting chan struct{}
}

// acquire waits until *held, one of the fields of h, is false, and sets it.
func (h *holds) acquire(held *bool) {
	h.mu.Lock()
	for *held {
		if h.waiting == nil {
			h.waiting = make(chan struct{})
		}
		waiting := h.waiting
		h.mu.Unlock()
		<-waiting
		h.mu.Lock()
	}
	*held = true
	h.mu.Unlock()
}

func (h *holds) release(held *bool) {
	h.mu.Lock()
	*held = false
	if h.waiting != nil {
		close(h.waiting)
		h.waiting = nil
	}
	h.mu.Unlock()
}
