// Package claimtest holds the tests that every example passes: its demo is green on three seeds, and each of its verdicts can be
// red.
package claimtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
)

// Verdict is a line of -format json; the last line of a run is a summary, with Claims > 0.
type Verdict struct {
	Claim   string      `json:"claim"`
	Pass    bool        `json:"pass"`
	Facts   claim.Facts `json:"facts"`
	Error   string      `json:"error"`
	Control struct {
		Breaks bool        `json:"breaks"`
		Facts  claim.Facts `json:"facts"`
		Error  string      `json:"error"`
	} `json:"control"`
	Claims int `json:"claims"`
}

// Demo runs an example with -quick -format json and further arguments, and returns its verdicts with the exit code.
func Demo(tb testing.TB, e claim.Example, args ...string) ([]Verdict, int) {
	tb.Helper()
	var stdout, stderr bytes.Buffer
	code := claim.Run(tb.Context(), e, append([]string{"-quick", "-format", "json"}, args...), claim.Command{Stdout: &stdout, Stderr: &stderr})
	var verdicts []Verdict
	for line := range bytes.Lines(stdout.Bytes()) {
		var v Verdict
		if err := json.Unmarshal(line, &v); err != nil {
			tb.Fatalf("%v in %s", err, line)
		}
		verdicts = append(verdicts, v)
	}
	if stderr.Len() > 0 {
		tb.Log(stderr.String())
	}
	return verdicts, code
}

// Green runs the demo with seeds 1, 2 and 3: every claim holds and every control breaks.
func Green(t *testing.T, example func() claim.Example) {
	t.Helper()
	for seed := 1; seed <= 3; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			verdicts, code := Demo(t, example(), "-seed", strconv.Itoa(seed))
			for _, v := range verdicts {
				if !v.Pass {
					t.Errorf("failed: %+v", v)
				}
			}
			if want := len(example().Claims); code != 0 || len(verdicts) != want+1 || verdicts[want].Claims != want {
				t.Errorf("exit code %d, %d lines", code, len(verdicts))
			}
		})
	}
}

// Red puts the control of each claim in the place of the real part, and then the real part in the place of the control. Both
// must fail the demo without an error: a verdict that cannot be red proves nothing.
func Red(t *testing.T, example func() claim.Example) {
	t.Helper()
	for i, c := range example().Claims {
		t.Run("claim="+c.ID+"/naive", func(t *testing.T) {
			e := example()
			e.Claims[i].Run = e.Claims[i].Control
			red(t, e, c.ID)
		})
		t.Run("claim="+c.ID+"/harmless", func(t *testing.T) {
			e := example()
			e.Claims[i].Control = e.Claims[i].Run
			red(t, e, c.ID)
		})
	}
}

func red(t *testing.T, e claim.Example, id string) {
	t.Helper()
	verdicts, code := Demo(t, e, "-only", id)
	if len(verdicts) != 2 || code != 1 || verdicts[0].Pass || verdicts[0].Error != "" || verdicts[0].Control.Error != "" {
		t.Errorf("exit code %d, verdicts %+v", code, verdicts)
	}
}

// Facts checks that verdicts follow from the printed facts: each claim holds for its good ones, and no longer when one of
// them is spoiled or, but for the optional ones, missing; and its control does not break on them.
func Facts(t *testing.T, example func() claim.Example, good, spoiled map[string]claim.Facts, optional ...string) {
	t.Helper()
	for _, c := range example().Claims {
		if !c.Holds(good[c.ID]) {
			t.Errorf("%s does not hold for good facts", c.ID)
		}
		for name, bad := range spoiled[c.ID] {
			facts := maps.Clone(good[c.ID])
			facts[name] = bad
			if c.Holds(facts) {
				t.Errorf("%s holds with %s=%v", c.ID, name, bad)
			}
			delete(facts, name)
			if c.Holds(facts) && !slices.Contains(optional, name) {
				t.Errorf("%s holds without %s", c.ID, name)
			}
		}
		if c.Breaks(good[c.ID]) {
			t.Errorf("the control of %s breaks on good facts", c.ID)
		}
	}
}
