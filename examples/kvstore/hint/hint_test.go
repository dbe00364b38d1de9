package hint

import (
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage"
)

func version(key string, time uint64, size int) storage.Entry {
	return storage.Entry{Key: key, Stamp: storage.Stamp{Time: time, Node: "n"}, Value: make([]byte, size)}
}

func TestOnlyTheNewestHintOfAKeyIsKept(t *testing.T) {
	var h Hints
	h.Keep("a", version("k", 2, 10))
	h.Keep("a", version("k", 1, 10))
	h.Keep("b", version("k", 1, 10))
	h.Keep("a", version("k", 3, 20))
	if got := h.Waiting()["a"]; h.Len() != 2 || len(got) != 1 || got[0].Stamp.Time != 3 {
		t.Errorf("kept %d, for a %v", h.Len(), got)
	}
	h.Remove("a", version("k", 2, 10), true) // delivered while a newer one came in
	if h.Len() != 2 {
		t.Error("the newer hint is gone")
	}
	h.Remove("a", version("k", 3, 20), true)
	h.Remove("b", version("k", 1, 10), false)
	if hinted, delivered, dropped := h.Counts(); h.Len() != 0 || h.bytes != 0 || hinted != 3 || delivered != 2 || dropped != 0 {
		t.Errorf("len %d, bytes %d, counts %d %d %d", h.Len(), h.bytes, hinted, delivered, dropped)
	}
}

func TestHintsAreBounded(t *testing.T) {
	var h Hints
	for i := range uint64(100) {
		h.Keep("a", version(string(rune('A'+i)), 1, 1<<20))
	}
	if _, _, dropped := h.Counts(); h.bytes > room || dropped == 0 || h.Len() != int(100-dropped) {
		t.Errorf("%d bytes, %d kept, %d dropped", h.bytes, h.Len(), dropped)
	}
}
