package idgen

import (
	"fmt"
	"testing"
)

// The explorer runs the atomic steps of claim, take and Close in every order that three goroutines can produce, and
// checks after each run that no slot was issued twice and none at or behind what Close counted. The steps are written
// down once more, one shared access each; the mutants show that the check can fail.

type shared struct {
	word, limit uint64
	clock       int64
	issued      []uint64
	used        uint64 // what the closer read; 0 before
}

// actor is one goroutine: step runs its next shared access and reports whether it has finished.
type actor struct {
	kind      byte // 'n' Next, 'c' Close, 't' the clock advances
	pc        int
	now       int64
	cur, slot uint64
}

const exploreSeq = 1 // bits

func (a *actor) step(s *shared, mutant string) (done bool) {
	switch a.kind {
	case 't':
		s.clock++
		return true
	case 'c':
		return a.close(s, mutant)
	}
	switch a.pc {
	case 0:
		a.now = s.clock
	case 1:
		a.cur = s.word
		if mutant == "limit before" && a.cur >= s.limit {
			return true
		}
	case 2:
		switch tick := int64(a.cur >> exploreSeq); {
		case tick == a.now:
			a.slot = s.word
			if mutant == "load and store" {
				a.slot = a.cur
			}
			s.word = a.slot + 1
		case tick < a.now:
			a.slot = uint64(a.now) << exploreSeq
			if s.word != a.cur && mutant != "blind store" {
				a.pc = 1 // the CAS failed
				return false
			}
			s.word = a.slot + 1
		default: // borrow: CAS of the next slot
			a.slot = a.cur
			if s.word != a.cur {
				a.pc = 1
				return false
			}
			s.word = a.slot + 1
		}
	case 3:
		if mutant == "limit before" || a.slot < s.limit {
			s.issued = append(s.issued, a.slot)
		}
		return true
	}
	a.pc++
	return false
}

func (a *actor) close(s *shared, mutant string) (done bool) {
	first := a.pc == 0
	a.pc++
	if first != (mutant == "read then seal") {
		s.limit = 0
	} else {
		s.used = s.word
	}
	return !first
}

func explore(s shared, actors []actor, mutant string) error {
	running := 0
	for i := range actors {
		if actors[i].pc < 0 {
			continue
		}
		running++
		next := s
		next.issued = append([]uint64(nil), s.issued...)
		moved := append([]actor(nil), actors...)
		if moved[i].step(&next, mutant) {
			moved[i].pc = -1
		}
		if err := explore(next, moved, mutant); err != nil {
			return err
		}
	}
	if running > 0 {
		return nil
	}
	seen := map[uint64]bool{}
	for _, slot := range s.issued {
		if seen[slot] {
			return fmt.Errorf("slot %d twice", slot)
		}
		seen[slot] = true
		if s.used > 0 && slot >= s.used {
			return fmt.Errorf("slot %d issued, Close counted up to %d", slot, s.used)
		}
	}
	return nil
}

func exploreAll(mutant string) error {
	for _, kinds := range []string{"nnn", "nnt", "nnc", "nct", "nntt"} {
		for word := uint64(2); word <= 5; word++ {
			s := shared{word: word, limit: 100, clock: 2}
			actors := make([]actor, len(kinds))
			for i := range kinds {
				actors[i].kind = kinds[i]
			}
			if err := explore(s, actors, mutant); err != nil {
				return fmt.Errorf("%s from word %d: %w", kinds, word, err)
			}
		}
	}
	return nil
}

func TestEveryInterleavingIssuesEachSlotOnce(t *testing.T) {
	if err := exploreAll(""); err != nil {
		t.Fatal(err)
	}
	for _, mutant := range []string{"load and store", "blind store", "limit before", "read then seal"} {
		if exploreAll(mutant) == nil {
			t.Errorf("the explorer does not notice %q", mutant)
		}
	}
}
