package lru

// tuner decides which share of a shard the window gets.
type tuner struct {
	share   float64
	entered uint32
}

func (t *tuner) setSize(int)      { t.share = 0.05 }
func (t *tuner) miss(uint64)      {}
func (t *tuner) windowHit(uint32) {}
func (t *tuner) mainHit(uint32)   {}
func (t *tuner) refused(uint64)   {}
func (t *tuner) displaced(uint64) {}
