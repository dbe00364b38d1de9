package main

import (
	"bytes"
	"flag"
	"maps"
	"testing"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/claim/claimtest"
	"github.com/sysblocks/sysblocks/examples/internal/readme"
)

var update = flag.Bool("update", false, "rewrite the generated blocks of README.md")

func TestREADME(t *testing.T) { readme.Test(t, gateway, *update) }

func TestDemoIsGreenOnThreeSeeds(t *testing.T) { claimtest.Green(t, gateway) }

func TestEveryVerdictCanBeRed(t *testing.T) { claimtest.Red(t, gateway) }

func TestEveryPolicyCarriesTheSystem(t *testing.T) {
	for _, policy := range proxy.Policies() {
		if verdicts, code := claimtest.Demo(t, gateway(), "-policy", policy, "-backends", "3", "-only", "c"); code != 0 {
			t.Errorf("%s: exit code %d, %+v", policy, code, verdicts)
		}
	}
}

// TestVerdictsFollowFromTheFacts spoils one printed fact at a time.
func TestVerdictsFollowFromTheFacts(t *testing.T) {
	compared, spoiledPolicies := claim.Facts{"steps": 10, "over-bound": 0}, claim.Facts{"steps": 0, "over-bound": 1}
	for _, policy := range proxy.Policies() {
		compared[policy+"-max-mean"], compared[policy+"-p99-ms"] = 1.5, 40
		spoiledPolicies[policy+"-max-mean"], spoiledPolicies[policy+"-p99-ms"] = 0, 0
	}
	compared["round-p99-ms"], spoiledPolicies["round-p99-ms"] = 100, 79
	good := map[string]claim.Facts{
		"a": {"windows": 10, "over-admitted": 0, "times-allowed": 0.9},
		"b": compared,
		"c": {"requests": 10, "restarts": 4, "failed": 0},
		"d": {"on-that-machine": 5, "unanswered": 0, "logged-out": 0},
		"e": {"users": 100, "of-that-machine": 9, "moved": 9, "moved-elsewhere": 0, "moved-share": 0.09},
		"f": {
			"open-counted": 5, "open-requests": 10, "open-failed": 0, "open-marked": 10,
			"closed-counted": 5, "closed-requests": 10, "closed-admitted": 0, "closed-503": 10, "recovered": 2, "p99-ms": 60,
		},
	}
	spoiled := map[string]claim.Facts{
		"a": {"windows": 0, "over-admitted": 1, "times-allowed": 0.4},
		"b": spoiledPolicies,
		"c": {"requests": 0, "restarts": 1, "failed": 1},
		"d": {"on-that-machine": 0, "unanswered": 1, "logged-out": 1},
		"e": {"users": 0, "of-that-machine": 8, "moved": 10, "moved-elsewhere": 1},
		"f": {
			"open-counted": 0, "open-requests": 11, "open-failed": 1, "open-marked": 9,
			"closed-counted": 0, "closed-requests": 11, "closed-admitted": 1, "closed-503": 9, "recovered": 1, "p99-ms": 1001,
		},
	}
	claimtest.Facts(t, gateway, good, spoiled)
	for _, policy := range []string{"weighted", "least", "two", "bounded"} {
		slow := maps.Clone(compared)
		slow[policy+"-p99-ms"] = 51
		if balanced(slow) {
			t.Errorf("b holds with %s nearly as slow as round", policy)
		}
	}
}

func TestWrongUseEndsBeforeAnythingIsPrinted(t *testing.T) {
	for _, args := range [][]string{
		{"-policy", "random"},
		{"-backends", "1"},
		{"-backends", "65"},
		{"-on-error", "shut"},
		{"-serve", "-to", "127.0.0.1:1"},
		{"-redis", "127.0.0.1:1"},
		{"-postgres", "postgres://127.0.0.1:1/x"},
		{"machine"},
		{"machine", "-redis", "127.0.0.1:1"},
		{"machine", "-policy", "least"},
	} {
		var out, errs bytes.Buffer
		code := claim.Run(t.Context(), gateway(), args, claim.Command{Stdout: &out, Stderr: &errs})
		if code != 2 || out.Len() > 0 || errs.Len() == 0 {
			t.Errorf("%v: exit code %d, %s", args, code, out.String())
		}
	}
}
