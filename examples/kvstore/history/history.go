// Package history notes what clients asked and were told, and judges afterwards whether one machine could have said the same.
package history

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"
)

// Op is what a client does.
type Op int

// The operations on a key. A value is written once, so that it tells which write a reader has seen; "" stands for no value.
const (
	Get   Op = iota
	Put      // Value, whatever is there
	PutIf    // Value, if Expect is there
)

// Input is a call.
type Input struct {
	Op            Op
	Key           string
	Value, Expect string
}

// Output is what the client was told.
type Output struct {
	Value    string // Get
	Conflict bool   // PutIf: something else was there
	Unknown  bool   // the call failed: a write may have been done, or be done later
}

// Recorder notes operations. Their times come from a counter: only the order of calls and returns matters. The zero Recorder is
// empty; it is safe for concurrent use.
type Recorder struct {
	now atomic.Int64 // advanced by every call and every return
	mu  sync.Mutex   // guards ops
	ops []porcupine.Operation
}

// Do makes a call and notes it. A read that failed says nothing and is left out; a write that failed may take effect at any later
// time, so it never returns.
func (r *Recorder) Do(client int, in Input, call func() Output) Output {
	called := r.now.Add(1)
	out := call()
	returned := r.now.Add(1)
	if out.Unknown {
		if in.Op == Get {
			return out
		}
		returned = math.MaxInt64
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops = append(r.ops, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
	return out
}

// Report is the judgement on a history.
type Report struct {
	Ops, Keys           int
	Rejected, Undecided int // keys whose history one register cannot have, and those that took too long to judge
	Stale               int // reads of a value that had been replaced before they began
}

// Judge splits the history by keys, since linearizability of each key is that of all, and gives each the time.
func (r *Recorder) Judge(patience time.Duration) Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	byKey := make(map[string][]porcupine.Operation)
	for _, op := range r.ops {
		key := op.Input.(Input).Key
		byKey[key] = append(byKey[key], op)
	}
	report := Report{Ops: len(r.ops), Keys: len(byKey)}
	for _, ops := range byKey {
		switch porcupine.CheckOperationsTimeout(register(), ops, patience) {
		case porcupine.Illegal:
			report.Rejected++
		case porcupine.Unknown:
			report.Undecided++
		case porcupine.Ok:
		}
		report.Stale += stale(ops)
	}
	return report
}

// register is one value that changes at an instant.
func register() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, output any) (bool, any) {
			now, in, out := state.(string), input.(Input), output.(Output)
			switch {
			case in.Op == Get:
				return out.Value == now, now
			case in.Op == Put:
				return true, in.Value
			case out.Unknown: // it may have failed
				if now == in.Expect {
					now = in.Value
				}
				return true, now
			case out.Conflict:
				return now != in.Expect, now
			}
			return now == in.Expect, in.Value
		},
	}
}

// stale counts reads that have an excuse in no order: another write lies wholly between the one they saw and themselves.
func stale(ops []porcupine.Operation) (n int) {
	writes := map[string]porcupine.Operation{"": {Return: 0}}
	for _, op := range ops {
		if in := op.Input.(Input); in.Op != Get && !op.Output.(Output).Conflict {
			writes[in.Value] = op
		}
	}
	for _, read := range ops {
		if read.Input.(Input).Op != Get {
			continue
		}
		seen, known := writes[read.Output.(Output).Value]
		for _, w := range writes {
			if known && w.Call > seen.Return && w.Return < read.Call {
				n++
				break
			}
		}
	}
	return n
}
