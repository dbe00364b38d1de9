package main

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// TestEverySuiteRuns proves that each adapter works: all rows of all packages, on small data.
func TestEverySuiteRuns(t *testing.T) {
	for _, pkg := range names() {
		t.Run(pkg, func(t *testing.T) {
			results, err := measure(pkg, "", true, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				// A time of zero means that nothing ran; a count may well be zero.
				if math.IsNaN(r.Ours) || r.Ours < 0 || r.Row.Ours.Setup != nil && r.Ours == 0 {
					t.Errorf("%s: our figure is %v", r.Row.Workload, r.Ours)
				}
			}
		})
	}
}

func TestCheckTellsShortRowsByStatus(t *testing.T) {
	one := harness.Contender{Name: "one", Value: func() (float64, error) { return 1, nil }}
	suites["test"] = func(bool) ([]harness.Row, error) {
		return []harness.Row{
			{Workload: "good", Ours: one, Target: harness.Limit(1)},
			{Workload: "bad", Ours: one, Target: harness.Limit(0.5)},
		}, nil
	}
	defer delete(suites, "test")
	for _, c := range []struct {
		args string
		code int
	}{
		{"-pkg test", 0},
		{"-pkg test -check", 1},
		{"-pkg test -check -rows good", 0},
		{"-pkg test -rows none", 2},
		{"-pkg unknown", 2},
		{"-pkg test -rows [", 2},
	} {
		if code, err := run(strings.Fields(c.args), io.Discard, io.Discard); code != c.code || (code == 0) != (err == nil) {
			t.Errorf("%s: status %d, error %v; want status %d", c.args, code, err, c.code)
		}
	}

	path := filepath.Join(t.TempDir(), "README.md")
	begin := "<!-- go run ./benchmarks/cmd/compare -pkg test -into " + path + " -->\n"
	if err := os.WriteFile(path, []byte("before\n"+begin+"old\n<!-- end -->\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, err := run([]string{"-pkg", "test", "-into", path}, io.Discard, io.Discard); code != 0 {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := string(got)
	if !strings.HasPrefix(s, "before\n"+begin+"| Workload") || !strings.HasSuffix(s, "<!-- end -->\nafter\n") || strings.Contains(s, "old") {
		t.Errorf("rewritten file:\n%s", s)
	}
}
