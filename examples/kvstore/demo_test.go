package main

import (
	"flag"
	"testing"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/claim/claimtest"
	"github.com/sysblocks/sysblocks/examples/internal/readme"
)

var update = flag.Bool("update", false, "rewrite the generated blocks of README.md")

func TestREADME(t *testing.T) { readme.Test(t, kvstore, *update) }

func TestDemoIsGreenOnThreeSeeds(t *testing.T) { claimtest.Green(t, kvstore) }

func TestEveryVerdictCanBeRed(t *testing.T) { claimtest.Red(t, kvstore) }

// TestVerdictsFollowFromTheFacts spoils one printed fact at a time.
func TestVerdictsFollowFromTheFacts(t *testing.T) {
	good := map[string]claim.Facts{
		"b": {"ops": 9, "keys": 2, "conditional": 1, "rejected": 0, "undecided": 0, "stale-reads": 0},
		"c": {"reads": 2, "saw-new": 2, "old-after-new": 0, "rejected": 0},
		"f": {"refused": 3, "accepted-by-minority": 0, "accepted": 9, "failed": 0, "conflicting": 2, "siblings": 2, "unresolved": 0, "lost": 0},
		"i": {"acked": 5, "failed": 0, "lost-replies": 1, "counter": 5},
		"j": {"keys": 9, "pages": 5, "epochs": 2, "duplicates": 0, "missing": 0},
		"a": {"acked": 10, "failed": 0, "stale": 0, "lost": 0, "replayed": 1},
		"d": {"failed": 0, "stale": 0, "lost": 0, "listed": 5, "moved": 5, "moved-elsewhere": 0, "left-behind": 0, "moved-share": 0.1, "copied-share": 0.1, "bound": 0.2},
		"e": {"absent": 100, "runs": 3, "storage-reads": 3, "bound": 9, "present": 10, "refused-present": 0},
		"h": {"gets": 100, "blocks": 5, "storage-reads": 5, "wrong": 0},
		"g": {"files": 3, "unreadable": 0, "different-bytes": 0, "new-chunks": 0, "wrong-answers": 0},
	}
	spoiled := map[string]claim.Facts{
		"b": {"ops": 0, "keys": 0, "conditional": 0, "rejected": 1, "undecided": 1, "stale-reads": 1},
		"c": {"reads": 1, "saw-new": 1, "old-after-new": 1, "rejected": 1},
		"f": {"refused": 0, "accepted-by-minority": 1, "accepted": 0, "failed": 1, "conflicting": 1, "siblings": 1, "unresolved": 1, "lost": 1},
		"i": {"acked": 4, "failed": 1, "lost-replies": 0, "counter": 6},
		"j": {"keys": 0, "pages": 3, "epochs": 1, "duplicates": 1, "missing": 1},
		"a": {"acked": 0, "failed": 1, "stale": 1, "lost": 1, "replayed": 0},
		"d": {"failed": 1, "stale": 1, "lost": 1, "listed": 6, "moved": 4, "moved-elsewhere": 1, "left-behind": 1, "moved-share": 0.3, "copied-share": 0.3, "bound": 0.05},
		"e": {"absent": 0, "runs": 1, "storage-reads": 10, "bound": 2, "present": 0, "refused-present": 1},
		"h": {"gets": 50, "blocks": 4, "storage-reads": 6, "wrong": 1},
		"g": {"files": 0, "unreadable": 1, "different-bytes": 1, "new-chunks": 1, "wrong-answers": 1},
	}
	claimtest.Facts(t, kvstore, good, spoiled)
}

func TestFlagsAreChecked(t *testing.T) {
	for _, args := range [][]string{
		{"-nodes", "0"},
		{"-n", "6"},
		{"-w", "4"},
		{"-r", "0"},
		{"-mode", "loose"},
		{"-mode", "linear", "-w", "1"},
		{"-node", "a"},
		{"-node", "a", "-peers", "a=nowhere"},
		{"-redis", "localhost:6379"},
		{"-postgres", "postgres://localhost/x"},
	} {
		if verdicts, code := claimtest.Demo(t, kvstore(), args...); code != 2 || verdicts != nil {
			t.Errorf("%v: exit code %d, verdicts %v", args, code, verdicts)
		}
	}
}

func TestWeakQuorumsFailTheDemo(t *testing.T) {
	if verdicts, code := claimtest.Demo(t, kvstore(), "-only", "a", "-n", "1", "-w", "1", "-r", "1"); code != 1 || verdicts[0].Pass {
		t.Errorf("exit code %d, %+v", code, verdicts)
	}
}
