package main

import (
	"flag"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/claim/claimtest"
	"github.com/sysblocks/sysblocks/examples/internal/readme"
)

var update = flag.Bool("update", false, "rewrite the generated blocks of README.md")

func TestREADME(t *testing.T) { readme.Test(t, newsfeed, *update) }

func TestDemoIsGreenOnThreeSeeds(t *testing.T) { claimtest.Green(t, newsfeed) }

func TestEveryVerdictCanBeRed(t *testing.T) { claimtest.Red(t, newsfeed) }

func TestOtherSettingsHoldToo(t *testing.T) {
	for _, args := range [][]string{
		{"-strategy", "write", "-replicas", "1", "-sync", "-only", "b,f"},
		{"-strategy", "read", "-replicas", "3", "-lag", "400ms", "-only", "a,b,d,f"},
	} {
		if verdicts, code := claimtest.Demo(t, newsfeed(), args...); code != 0 {
			t.Errorf("%v: exit code %d, %+v", args, code, verdicts)
		}
	}
}

// TestVerdictsFollowFromTheFacts spoils one printed fact at a time.
func TestVerdictsFollowFromTheFacts(t *testing.T) {
	good := map[string]claim.Facts{
		"a": {"compared": 60, "differing": 0, "writes-write": 100, "writes-hybrid": 10, "writes-read": 0, "lists-read": 20, "lists-hybrid": 4, "crossover": 5},
		"b": {"seen": 10, "came": 1, "went": 1, "duplicates": 0, "missed": 0},
		"c": {"posts": 100, "lost": 0, "doubled": 0, "redelivered": 3, "looked": 3, "dead-letters": 1},
		"d": {"reads": 100, "missed": 0, "follower-reads": 80, "primary-share": 0.2},
		"e": {"accepted": 9, "delivered": 9, "rejected": 0, "depth-max": 4, "p99-ms": 290, "probe-ms": 10},
		"f": {"acked-before": 9, "acked-after": 3, "lost": 0},
		"g": {"delivered": 9, "out-of-order": 0},
	}
	spoiled := map[string]claim.Facts{
		"a": {"compared": 0, "differing": 1, "writes-write": 13, "writes-hybrid": 76, "writes-read": 1, "lists-read": 7, "lists-hybrid": 11, "crossover": 0},
		"b": {"seen": 0, "came": 0, "went": 0, "duplicates": 1, "missed": 1},
		"c": {"posts": 0, "lost": 1, "doubled": 1, "redelivered": 0, "looked": 51, "dead-letters": 0},
		"d": {"reads": 0, "missed": 1, "follower-reads": 0, "primary-share": 0.51},
		"e": {"accepted": 10, "delivered": 8, "rejected": 1, "depth-max": 0, "p99-ms": 291, "probe-ms": 9},
		"f": {"acked-before": 0, "acked-after": 0, "lost": 1},
		"g": {"delivered": 0, "out-of-order": 1},
	}
	claimtest.Facts(t, newsfeed, good, spoiled)
}

func TestWrongUseEndsBeforeAnythingIsPrinted(t *testing.T) {
	for _, args := range [][]string{
		{"-strategy", "guess"},
		{"-celebrity", "99"},
		{"-celebrity", "100001"},
		{"-replicas", "0"},
		{"-replicas", "9"},
		{"-lag", "99ms"},
		{"-lag", "3s"},
		{"-redis", "127.0.0.1:1"},
		{"-postgres", "postgres://127.0.0.1:1/x?sslmode=disable"},
	} {
		if verdicts, code := claimtest.Demo(t, newsfeed(), args...); code != 2 || verdicts != nil {
			t.Errorf("%v: exit code %d, verdicts %v", args, code, verdicts)
		}
	}
}
