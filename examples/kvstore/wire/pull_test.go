package wire

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
		if Within(ranges, token) != want {
			t.Errorf("token %d: %v", token, !want)
		}
	}
	if Within(nil, 5) {
		t.Error("no ranges contain a token")
	}
}

func TestPullRequestSurvivesTheWire(t *testing.T) {
	ranges := []hashring.Range{{First: 0, Last: 7}, {First: 9, Last: math.MaxUint64}}
	after, got, err := SplitPull(JoinPull("key", ranges))
	if err != nil || after != "key" || !reflect.DeepEqual(got, ranges) {
		t.Errorf("got %q, %v, %v", after, got, err)
	}
	for _, bad := range []string{"", "no end", "\x00short"} {
		if _, _, err := SplitPull([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}
