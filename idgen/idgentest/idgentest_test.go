package idgentest_test

import (
	"path/filepath"
	"testing"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/idgentest"
)

func TestMemoryCounter(t *testing.T) {
	var c idgen.MemoryCounter
	idgentest.TestCounter(t, func(*testing.T) idgen.Counter { return &c })
}

func TestMemoryLeaser(t *testing.T) {
	var l idgen.MemoryLeaser
	idgentest.TestLeaser(t, func(*testing.T) idgen.Leaser { return &l })
}

func TestFileLeaser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "worker")
	idgentest.TestLeaser(t, func(t *testing.T) idgen.Leaser {
		t.Helper()
		l, err := idgen.NewFileLeaser(path, 2)
		if err != nil {
			t.Fatal(err)
		}
		return l
	})
}

func TestSnowflake(t *testing.T) {
	g, err := idgen.NewSnowflake(1, idgen.SnowflakeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	idgentest.TestGenerator(t, g)
}

func TestSharded(t *testing.T) {
	s, err := idgen.NewSegment(new(idgen.MemoryCounter), idgen.SegmentOptions{})
	if err != nil {
		t.Fatal(err)
	}
	g, err := idgen.NewSharded(s, idgen.Layout{ShardBits: 10, SeqBits: 53}, 9)
	if err != nil {
		t.Fatal(err)
	}
	idgentest.TestGenerator(t, g)
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
