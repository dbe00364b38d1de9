package history

import (
	"testing"
	"time"
)

// line plays calls that return at once, so one after the other.
func line(ops ...func(r *Recorder)) Report {
	r := &Recorder{}
	for _, op := range ops {
		op(r)
	}
	return r.Judge(time.Second)
}

func get(value string) func(r *Recorder) {
	return func(r *Recorder) { r.Do(0, Input{Op: Get, Key: "k"}, func() Output { return Output{Value: value} }) }
}

func put(value string, out Output) func(r *Recorder) {
	return func(r *Recorder) { r.Do(0, Input{Op: Put, Key: "k", Value: value}, func() Output { return out }) }
}

func putIf(value, expect string, out Output) func(r *Recorder) {
	return func(r *Recorder) {
		r.Do(0, Input{Op: PutIf, Key: "k", Value: value, Expect: expect}, func() Output { return out })
	}
}

func TestWhatOneRegisterCanSay(t *testing.T) {
	ok, lost, conflict := Output{}, Output{Unknown: true}, Output{Conflict: true}
	for name, c := range map[string]struct {
		got             Report
		rejected, stale int
	}{
		"empty":                        {line(get("")), 0, 0},
		"last write":                   {line(put("1", ok), put("2", ok), get("2")), 0, 0},
		"old value":                    {line(put("1", ok), put("2", ok), get("1")), 1, 1},
		"value lost":                   {line(put("1", ok), get("")), 1, 1},
		"value from nowhere":           {line(put("1", ok), get("9")), 1, 0},
		"failed write seen":            {line(put("1", ok), put("2", lost), get("2")), 0, 0},
		"failed write not seen":        {line(put("1", ok), put("2", lost), get("1")), 0, 0},
		"failed write seen late":       {line(put("1", ok), put("2", lost), get("1"), get("2")), 0, 0},
		"failed write seen, then gone": {line(put("1", ok), put("2", lost), get("2"), get("1")), 1, 0},
		"condition held":               {line(put("1", ok), putIf("2", "1", ok), get("2")), 0, 0},
		"condition did not hold":       {line(put("1", ok), putIf("2", "0", conflict), get("1")), 0, 0},
		"refused without reason":       {line(put("1", ok), putIf("2", "1", conflict)), 1, 0},
		"done without reason":          {line(put("1", ok), putIf("2", "0", ok)), 1, 0},
		"condition, lost, not done":    {line(put("1", ok), putIf("2", "0", lost), get("1")), 0, 0},
	} {
		if c.got.Rejected != c.rejected || c.got.Stale != c.stale || c.got.Undecided != 0 {
			t.Errorf("%s: %+v", name, c.got)
		}
	}
}

func TestAReadBesideAWriteMaySeeEither(t *testing.T) {
	for value, bad := range map[string]int{"1": 0, "2": 0, "3": 1} {
		r := &Recorder{}
		put("1", Output{})(r)
		r.Do(1, Input{Op: Put, Key: "k", Value: "2"}, func() Output {
			get(value)(r)
			return Output{}
		})
		if got := r.Judge(time.Second); got.Rejected != bad {
			t.Errorf("%s: %+v", value, got)
		}
	}
}
