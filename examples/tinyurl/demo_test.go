package main

import (
	"flag"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/claim/claimtest"
	"github.com/sysblocks/sysblocks/examples/internal/readme"
)

var update = flag.Bool("update", false, "rewrite the generated blocks of README.md")

func TestREADME(t *testing.T) { readme.Test(t, tinyurl, *update) }

func TestDemoIsGreenOnThreeSeeds(t *testing.T) { claimtest.Green(t, tinyurl) }

func TestEveryVerdictCanBeRed(t *testing.T) { claimtest.Red(t, tinyurl) }

func TestSnowflakeCodesCarryTheSystemToo(t *testing.T) {
	if verdicts, code := claimtest.Demo(t, tinyurl(), "-codes", "snowflake", "-only", "b,c,f,g"); code != 0 {
		t.Errorf("exit code %d, %+v", code, verdicts)
	}
}

// TestVerdictsFollowFromTheFacts spoils one printed fact at a time.
func TestVerdictsFollowFromTheFacts(t *testing.T) {
	good := map[string]claim.Facts{
		"a": {"codes": 10, "duplicates": 0, "letters-segment": 7, "letters-snowflake": 11},
		"b": {"requests": 10, "hits": 6, "misses": 4, "coalesced": 1, "store-reads": 3, "points-apart": 1},
		"c": {"unknown": 100, "store-lookups": 3, "bound": 5, "existing": 9, "refused-existing": 0},
		"d": {"readers": 10, "answered": 10, "store-reads": 1},
		"e": {"windows": 10, "over-quota": 0, "retries": 5, "retry-too-early": 0},
		"f": {"exchanges": 24, "wrong": 0},
		"g": {"seen": 10, "came": 1, "went": 1, "duplicates": 0, "missed": 0},
	}
	spoiled := map[string]claim.Facts{
		"a": {"codes": 0, "duplicates": 1, "letters-segment": 8, "letters-snowflake": 12},
		"b": {"requests": 11, "hits": 5, "misses": 5, "coalesced": 0, "store-reads": 4, "points-apart": 3},
		"c": {"unknown": 0, "store-lookups": 6, "bound": 2, "existing": 0, "refused-existing": 1},
		"d": {"readers": 11, "answered": 9, "store-reads": 2},
		"e": {"windows": 0, "over-quota": 1, "retries": 0, "retry-too-early": 1},
		"f": {"exchanges": 23, "wrong": 1},
		"g": {"seen": 0, "came": 0, "went": 0, "duplicates": 1, "missed": 1},
	}
	claimtest.Facts(t, tinyurl, good, spoiled, "coalesced") // which may be missing: nothing was shared, then
}

func TestWrongUseEndsBeforeAnythingIsPrinted(t *testing.T) {
	for _, args := range [][]string{
		{"-codes", "random"},
		{"-cache", "0"},
		{"-cache", "1.5"},
		{"-redis", "127.0.0.1:1"},
		{"-postgres", "postgres://127.0.0.1:1/x?sslmode=disable"},
	} {
		if verdicts, code := claimtest.Demo(t, tinyurl(), args...); code != 2 || verdicts != nil {
			t.Errorf("%v: exit code %d, verdicts %v", args, code, verdicts)
		}
	}
}
