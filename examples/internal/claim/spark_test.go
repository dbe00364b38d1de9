package claim

import "testing"

func TestNumberedFactsBecomeBars(t *testing.T) {
	f := Facts{"depth-00": 0, "depth-01": 50, "depth-02": 100, "depth-03": -1, "depth-max": 100, "p-99": 7, "other": 1}
	if got, want := f.text([]string{"depth", "other"}), "depth=▁▄█▁ other=1 depth-max=100 p=█"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Facts{"x-00": 0, "x-01": 0}).text(nil); got != "x=▁▁" {
		t.Errorf("got %q", got)
	}
	if f["depth-01"] != 50 {
		t.Error("the facts have changed")
	}
}
