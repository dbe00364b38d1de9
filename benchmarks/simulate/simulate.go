package simulate

import (
	"container/heap"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"
)

// Cache is what a policy must do: tell whether the key was there, and store it if not.
type Cache interface {
	Access(key uint64) (hit bool)
	Close()
}

// Policy makes a cache; weight is nil where each key weighs 1. A policy that does not do weights returns nil.
type Policy struct {
	Name string
	New  func(capacity int, weight func(uint64) int) Cache
}

// HitRatio replays a trace, in percent; NaN if the policy cannot.
func HitRatio(p Policy, t Trace, capacity int) float64 {
	if p.Name == Optimum {
		if t.Weights != nil {
			return math.NaN()
		}
		return optimal(t.Keys, capacity)
	}
	c := p.New(capacity, t.Weights)
	if c == nil {
		return math.NaN()
	}
	defer c.Close()
	hits := 0
	for _, k := range t.Keys {
		if c.Access(k) {
			hits++
		}
	}
	return 100 * float64(hits) / float64(len(t.Keys))
}

// Optimum is the name of the policy that knows the future (Belady 1966): an upper bound without weights.
const Optimum = "optimum"

// future orders cached keys by their next use, latest first.
type future []int

func (f future) Len() int           { return len(f) }
func (f future) Less(i, j int) bool { return f[i] > f[j] }
func (f future) Swap(i, j int)      { f[i], f[j] = f[j], f[i] }
func (f *future) Push(x any)        { *f = append(*f, x.(int)) }
func (f *future) Pop() any {
	old := *f
	x := old[len(old)-1]
	*f = old[:len(old)-1]
	return x
}

func optimal(keys []uint64, capacity int) float64 {
	next := make([]int, len(keys))
	last := make(map[uint64]int)
	for i := len(keys) - 1; i >= 0; i-- {
		next[i] = len(keys) + i // never again: all different
		if j, ok := last[keys[i]]; ok {
			next[i] = j
		}
		last[keys[i]] = i
	}
	cached := make(map[int]struct{}, capacity) // times of next use of the cached keys
	var order future
	hits := 0
	for i := range keys {
		if _, ok := cached[i]; ok {
			hits++
			delete(cached, i)
		} else if len(cached) == capacity {
			latest := heap.Pop(&order).(int)
			for { // entries of keys that were used since are stale
				if _, ok := cached[latest]; ok {
					break
				}
				latest = heap.Pop(&order).(int)
			}
			if latest < next[i] { // what comes would be used later still
				heap.Push(&order, latest)
				continue
			}
			delete(cached, latest)
		}
		cached[next[i]] = struct{}{}
		heap.Push(&order, next[i])
	}
	return 100 * float64(hits) / float64(len(keys))
}

// Row is one trace at one capacity.
type Row struct {
	Trace    string
	Capacity int
	Ratios   []float64 // as the policies
}

// Compare replays every trace at every capacity, two rows at a time.
func Compare(traces []Trace, policies []Policy) []Row {
	var rows []Row
	type task struct {
		row    int
		policy int
		trace  Trace
	}
	var tasks []task
	for _, t := range traces {
		for _, capacity := range t.Capacities {
			for p := range policies {
				tasks = append(tasks, task{len(rows), p, t})
			}
			rows = append(rows, Row{t.Name, capacity, make([]float64, len(policies))})
		}
	}
	feed := make(chan task)
	done := make(chan struct{})
	const workers = 2
	for range workers {
		go func() {
			for t := range feed {
				row := &rows[t.row]
				row.Ratios[t.policy] = HitRatio(policies[t.policy], t.trace, row.Capacity)
			}
			done <- struct{}{}
		}()
	}
	for _, t := range tasks {
		feed <- t
	}
	close(feed)
	for range workers {
		<-done
	}
	return rows
}

// Table prints rows as text, or as Markdown, with the mean of each policy over the rows that all policies can do.
func Table(rows []Row, policies []Policy, markdown bool) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	line := func(cells []string) {
		if markdown {
			fmt.Fprintf(&b, "| %s |\n", strings.Join(cells, " | "))
			return
		}
		fmt.Fprintln(w, strings.Join(cells, "\t")+"\t")
	}
	head, rule := []string{"trace : capacity"}, []string{"---"}
	for _, p := range policies {
		head, rule = append(head, p.Name), append(rule, "--:")
	}
	line(head)
	if markdown {
		line(rule)
	}
	sum, n := make([]float64, len(policies)), 0
	for _, r := range rows {
		cells := []string{fmt.Sprintf("%s : %d", r.Trace, r.Capacity)}
		full := true
		for _, v := range r.Ratios {
			if math.IsNaN(v) {
				full = false
				cells = append(cells, "–")
				continue
			}
			cells = append(cells, fmt.Sprintf("%.2f", v))
		}
		line(cells)
		if full {
			n++
			for i, v := range r.Ratios {
				sum[i] += v
			}
		}
	}
	cells := []string{"mean"}
	for _, v := range sum {
		cells = append(cells, fmt.Sprintf("%.2f", v/float64(max(1, n))))
	}
	line(cells)
	_ = w.Flush()
	return b.String()
}

// Traces returns the recorded traces found in dir and the synthetic ones; missing tells what was not found.
func Traces(dir string, n int) (traces []Trace, missing []string) {
	for _, t := range Recorded() {
		if dir == "" {
			missing = append(missing, t.Name)
			continue
		}
		keys, err := Load(dir, t.Name)
		if err != nil {
			if !os.IsNotExist(err) {
				fmt.Fprintln(os.Stderr, err)
			}
			missing = append(missing, t.Name)
			continue
		}
		t.Keys = keys
		traces = append(traces, t)
	}
	return append(traces, Synthetic(n)...), missing
}
