package storage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
)

// platter is what a disk has for certain: of each file the bytes that were there when it was last brought to the disk, and the names that
// the folder had when that was. All else may be lost in a power cut, or not.
type platter struct {
	dir      string
	now, was map[string]*inode // the names as the programs see them, and as they are on the disk
}

type inode struct{ synced []byte }

// made notes that a change was made.
func (p *platter) made(op, name string) error {
	switch op {
	case "create":
		p.now[name] = &inode{}
	case "sync":
		b, err := os.ReadFile(filepath.Join(p.dir, name))
		if err != nil {
			return err
		}
		p.now[name].synced = b
	case "rename":
		p.now[name] = p.now[name+disk.TmpSuffix]
		delete(p.now, name+disk.TmpSuffix)
	case "remove":
		delete(p.now, name)
	case "sync-folder":
		p.was = maps.Clone(p.now)
	}
	return nil
}

// worst is a folder with what is certain and nothing else.
func (p *platter) worst(to string) error {
	for name, f := range p.was {
		if err := os.WriteFile(filepath.Join(to, name), f.synced, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// mixed is a folder in which some of what is not certain has reached the disk: each name by itself, and each file up to some byte.
func (p *platter) mixed(to string, rng *rand.Rand) error {
	all := maps.Clone(p.now)
	maps.Copy(all, p.was)
	for name := range all {
		f, ok := p.was[name]
		if rng.IntN(2) == 0 {
			f, ok = p.now[name]
		}
		if !ok {
			continue
		}
		b := f.synced
		if p.now[name] == f {
			seen, err := os.ReadFile(filepath.Join(p.dir, name))
			if err != nil {
				return err
			}
			if n := len(b); len(seen) > n {
				b = seen[:n+rng.IntN(len(seen)-n+1)]
			}
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestAPowerCutAtEveryStepLeavesWhatWasAcknowledged runs with Sync and forgets, at each step, what was not brought to the disk.
func TestAPowerCutAtEveryStepLeavesWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBooks()
	p := &platter{dir: dir, now: map[string]*inode{}, was: map[string]*inode{}}
	rng := rand.New(rand.NewPCG(7, 7))
	total := 0
	step := func(op, name string, do func() error) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		total++
		what := fmt.Sprintf("power cut before step %d, %s %s", total, op, name)
		after := t.TempDir()
		if err := p.worst(after); err != nil {
			return err
		}
		b.reopen(t, what, after, total%7 == 0)
		for range 2 {
			after := t.TempDir()
			if err := p.mixed(after, rng); err != nil {
				return err
			}
			b.reopen(t, what+", some of it on the disk", after, false)
		}
		if err := unsynced(op, name, do); err != nil {
			return err
		}
		return p.made(op, name)
	}
	s, err := open(disk.Folder{Dir: dir, Step: step}, tiny(true))
	if err != nil {
		t.Fatal(err)
	}
	if failures := b.program(s); failures > 0 {
		t.Fatalf("%d failures", failures)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if total < 200 {
		t.Errorf("only %d steps", total)
	}
}

// TestAPowerCutWithoutSyncLosesAtMostTheEndOfTheNewestLog runs without Sync: writes may be lost, but what is left must open, and be
// what a store without the end of its newest log would be.
func TestAPowerCutWithoutSyncLosesAtMostTheEndOfTheNewestLog(t *testing.T) {
	t.Parallel()
	dir, b := t.TempDir(), newBooks()
	p := &platter{dir: dir, now: map[string]*inode{}, was: map[string]*inode{}}
	rng := rand.New(rand.NewPCG(8, 8))
	durable := map[string]string{} // what was acknowledged before the newest log began, unless it was written again
	step := func(op, name string, do func() error) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		for range 2 {
			after := t.TempDir()
			if err := p.mixed(after, rng); err != nil {
				return err
			}
			got, err := read(t, after)
			if err != nil {
				t.Errorf("power cut before %s %s: %v", op, name, err)
			}
			for key, state := range durable {
				if now, ok := got[key]; !ok || now != state {
					t.Errorf("power cut before %s %s: %s is %q, want %s", op, name, key, now, state)
				}
			}
		}
		if op == "append" {
			for key, may := range b.may { // from now on this key may be old or new
				if len(may) > 1 {
					delete(durable, key)
				}
			}
		}
		if err := unsynced(op, name, do); err != nil {
			return err
		}
		if op == "create" && name != disk.LogName(1) && strings.HasSuffix(name, disk.LogSuffix) {
			clear(durable)
			for key, may := range b.may {
				if len(may) == 1 && may[0] != absent {
					durable[key] = may[0]
				}
			}
		}
		return p.made(op, name)
	}
	s, err := open(disk.Folder{Dir: dir, Step: step}, tiny(false))
	if err != nil {
		t.Fatal(err)
	}
	if failures := b.program(s); failures > 0 {
		t.Fatalf("%d failures", failures)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
