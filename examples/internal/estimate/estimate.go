// Package estimate does the arithmetic that stands behind a design: from five assumptions to queries a second, rows and bytes,
// once exactly and once as on a whiteboard.
//
// The whiteboard rounds so that one can divide in one's head: a day has 100,000 seconds, a year 400 days; the peak is three times
// the average. A test states how far that may be from the exact figure.
package estimate

import (
	"errors"
	"flag"
	"fmt"
	"math"
)

// ErrInvalid is returned for an assumption that is not a positive, finite number.
var ErrInvalid = errors.New("estimate: an assumption must be a positive number")

// Peak is the ratio of the busiest hour to the average.
const Peak = 3

// Calendar says how long days and years are taken to be.
type Calendar struct {
	SecondsPerDay, DaysPerYear float64
}

// Exact is the calendar on the wall.
func Exact() Calendar { return Calendar{SecondsPerDay: 86_400, DaysPerYear: 365} }

// Whiteboard is the calendar for mental arithmetic.
func Whiteboard() Calendar { return Calendar{SecondsPerDay: 100_000, DaysPerYear: 400} }

// Assumptions are what one says before one calculates. Each has a flag.
type Assumptions struct {
	DAU    float64 // users a day
	Reads  float64 // reads per user and day
	Writes float64 // writes per user and day
	Bytes  float64 // stored per write
	Years  float64 // how long everything is kept
}

// Defaults are 100 million users, 10 reads and 3 writes a day, 5 years; the bytes differ between examples.
func Defaults(bytes float64) Assumptions {
	return Assumptions{DAU: 100e6, Reads: 10, Writes: 3, Bytes: bytes, Years: 5}
}

// Flags registers -dau, -reads, -writes, -bytes and -years with the present values as defaults.
func (a *Assumptions) Flags(fs *flag.FlagSet) {
	fs.Float64Var(&a.DAU, "dau", a.DAU, "estimate: users a day")
	fs.Float64Var(&a.Reads, "reads", a.Reads, "estimate: reads per user and day")
	fs.Float64Var(&a.Writes, "writes", a.Writes, "estimate: writes per user and day")
	fs.Float64Var(&a.Bytes, "bytes", a.Bytes, "estimate: bytes per write")
	fs.Float64Var(&a.Years, "years", a.Years, "estimate: years that data is kept")
}

// Validate returns ErrInvalid, with the flag's name, for zero, negative, infinite and absent numbers.
func (a Assumptions) Validate() error {
	for _, f := range a.fields() {
		if !(f.value > 0) || math.IsInf(f.value, 0) {
			return fmt.Errorf("%w: -%s %v", ErrInvalid, f.flag, f.value)
		}
	}
	return nil
}

type field struct {
	flag, what string
	value      float64
}

func (a Assumptions) fields() []field {
	return []field{
		{"dau", "users a day", a.DAU},
		{"reads", "reads per user and day", a.Reads},
		{"writes", "writes per user and day", a.Writes},
		{"bytes", "bytes per write", a.Bytes},
		{"years", "years that data is kept", a.Years},
	}
}

// Figure is one line of an estimate.
type Figure struct {
	Name  string // qps-read, rows, …: lower case, for programs
	How   string // the formula in words
	Unit  string // "/s", "B", or "" for a count
	Exact float64
	Board float64 // by the whiteboard's calendar, two significant digits
}

// Of makes a figure by evaluating one formula under both calendars.
func Of(name, how, unit string, formula func(c Calendar) float64) Figure {
	return Figure{Name: name, How: how, Unit: unit, Exact: formula(Exact()), Board: round(formula(Whiteboard()))}
}

// Figures are the five lines that every example begins with: qps-read, qps-write, qps-peak, rows, bytes.
func (a Assumptions) Figures() []Figure {
	read := func(c Calendar) float64 { return a.DAU * a.Reads / c.SecondsPerDay }
	write := func(c Calendar) float64 { return a.DAU * a.Writes / c.SecondsPerDay }
	rows := func(c Calendar) float64 { return a.DAU * a.Writes * c.DaysPerYear * a.Years }
	return []Figure{
		Of("qps-read", "dau × reads / day", "/s", read),
		Of("qps-write", "dau × writes / day", "/s", write),
		Of("qps-peak", "3 × (qps-read + qps-write)", "/s", func(c Calendar) float64 { return Peak * (read(c) + write(c)) }),
		Of("rows", "dau × writes × days × years", "", rows),
		Of("bytes", "rows × bytes", "B", func(c Calendar) float64 { return rows(c) * a.Bytes }),
	}
}

// round keeps two significant digits, as one would on a whiteboard.
func round(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return x
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(x)))-1)
	return math.Round(x/unit) * unit
}
