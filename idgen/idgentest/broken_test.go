package idgentest_test

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/idgentest"
)

// brokenCounter repeats the last number of every range.
type brokenCounter struct{ idgen.MemoryCounter }

func (b *brokenCounter) Reserve(ctx context.Context, n int64) (int64, error) {
	first, err := b.MemoryCounter.Reserve(ctx, n)
	return max(first-1, 1), err
}

// brokenLeaser is a leaser with one fault.
type brokenLeaser struct {
	idgen.MemoryLeaser
	fault string
}

func (b *brokenLeaser) Acquire(ctx context.Context, workers uint32, from, until time.Time) (idgen.Grant, error) {
	if b.fault == "forgets the last window" {
		return idgen.Grant{Worker: 0, Token: time.Now().UnixNano(), From: from, Until: until}, nil
	}
	g, err := b.MemoryLeaser.Acquire(ctx, workers, from, until)
	if err == nil && b.fault == "starts at the caller's clock" {
		g.From = from
	}
	return g, err
}

func (b *brokenLeaser) Extend(ctx context.Context, g idgen.Grant, until time.Time) (idgen.Grant, error) {
	longer, err := b.MemoryLeaser.Extend(ctx, g, until)
	switch b.fault {
	case "shortens":
		longer.Until = until
	case "ignores the token":
		longer, err = g, nil
		longer.Until = until
	case "keeps the token":
		if err != nil {
			g.Token++
			longer, err = b.MemoryLeaser.Extend(ctx, g, until)
		}
	}
	return longer, err
}

// brokenGenerator returns every hundredth ID twice.
type brokenGenerator struct {
	idgen.Generator
	n    int
	last idgen.ID
}

func (b *brokenGenerator) Next(ctx context.Context) (idgen.ID, error) {
	if b.n++; b.n%100 == 0 {
		return b.last, nil
	}
	id, err := b.Generator.Next(ctx)
	b.last = id
	return id, err
}

// TestBrokenChild is run by TestTheKitsFindEveryFault in a process of its own, where it has to fail.
func TestBrokenChild(t *testing.T) {
	switch fault := os.Getenv("IDGENTEST_FAULT"); fault {
	case "":
		t.Skip("runs as a child only")
	case "counter":
		var c brokenCounter
		idgentest.TestCounter(t, func(*testing.T) idgen.Counter { return &c })
	case "generator":
		g, err := idgen.NewSnowflake(0, idgen.SnowflakeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		idgentest.TestGenerator(t, &brokenGenerator{Generator: g})
	default:
		l := brokenLeaser{fault: fault}
		idgentest.TestLeaser(t, func(*testing.T) idgen.Leaser { return &l })
	}
}

func TestTheKitsFindEveryFault(t *testing.T) {
	for _, fault := range []string{
		"counter", "generator", "forgets the last window", "starts at the caller's clock", "shortens", "ignores the token", "keeps the token",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestBrokenChild$")
			env := slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "IDGENTEST_FAULT=") })
			child.Env = slices.Concat(env, []string{"IDGENTEST_FAULT=" + fault})
			out, err := child.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL") {
				t.Fatalf("not found: %v\n%s", err, out)
			}
		})
	}
}
