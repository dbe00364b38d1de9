package cluster

import (
	"math"
	"reflect"
	"testing"

	"github.com/sysblocks/sysblocks/hashring"
)

func TestWithinIncludesBothEndsOfARange(t *testing.T) {
	ranges := []hashring.Range{{First: 0, Last: 0}, {First: 10, Last: 20}, {First: 30, Last: 30}, {First: math.MaxUint64, Last: math.MaxUint64}}
	for token, want := range map[uint64]bool{
		0: true, 1: false, 9: false, 10: true, 15: true, 20: true, 21: false, 29: false, 30: true, 31: false,
		math.MaxUint64 - 1: false, math.MaxUint64: true,
	} {
		if within(ranges, token) != want {
			t.Errorf("token %d: %v", token, !want)
		}
	}
	if within(nil, 5) {
		t.Error("no ranges contain a token")
	}
}

func TestPullRequestSurvivesTheWire(t *testing.T) {
	ranges := []hashring.Range{{First: 0, Last: 7}, {First: 9, Last: math.MaxUint64}}
	after, got, err := decodePull(encodePull("key", ranges))
	if err != nil || after != "key" || !reflect.DeepEqual(got, ranges) {
		t.Errorf("got %q, %v, %v", after, got, err)
	}
	for _, bad := range []string{"", "no end", "\x00short"} {
		if _, _, err := decodePull([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestSourcesFenceReadsAndWritesOfTheOldEpoch(t *testing.T) {
	for q, want := range map[Quorum]int{
		{N: 3, W: 2, R: 2}: 2, {N: 3, W: 3, R: 1}: 3, {N: 3, W: 1, R: 3}: 3, {N: 1, W: 1, R: 1}: 1, {N: 5, W: 3, R: 3}: 3, {N: 5, W: 4, R: 2}: 4,
	} {
		got := q.sources()
		if got != want || got+q.R <= q.N || got+q.W <= q.N || got < q.R {
			t.Errorf("%+v: %d sources, want %d", q, got, want)
		}
	}
}
