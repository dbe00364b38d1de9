package page

import (
	"net/url"
	"strconv"
	"strings"
)

// Setting is a control that a world is made with: a number from Min to Max, or one of Choices.
type Setting struct {
	Name  string // in the URL
	Label string
	Unit  string // after the number, such as "/s"

	Min, Max, Step int      // of a number; Step 0 means 1
	Choices        []Choice // instead of a number; up to 7
	Default        string
	Quiet          bool // only in the URL, no control
}

// Choice is one value of a Setting.
type Choice struct{ Value, Label string }

// Numbers makes choices of numbers.
func Numbers(ns ...int) []Choice {
	var cs []Choice
	for _, n := range ns {
		cs = append(cs, Choice{Value: strconv.Itoa(n), Label: strconv.Itoa(n)})
	}
	return cs
}

// Settings are the values of all settings of a page; they have been checked.
type Settings map[string]string

// Int returns a number.
func (s Settings) Int(name string) int {
	n, err := strconv.Atoi(s[name])
	if err != nil {
		return 0 // not a number by its declaration, which the conformance test refuses to be used so
	}
	return n
}

// Parse reads the settings of a page from a query or form; what is not there keeps its value in old, or else its default.
func Parse(declared []Setting, old Settings, q url.Values) (Settings, error) {
	s := Settings{}
	for _, d := range declared {
		value := d.Default
		if v, ok := old[d.Name]; ok {
			value = v
		}
		if q.Has(d.Name) {
			value = q.Get(d.Name)
			if err := d.check(value); err != nil {
				return nil, err
			}
		}
		s[d.Name] = value
	}
	return s, nil
}

func (d Setting) check(value string) error {
	if len(d.Choices) > 0 {
		var known []string
		for _, c := range d.Choices {
			if c.Value == value {
				return nil
			}
			known = append(known, c.Value)
		}
		return Invalid("%s is one of %s", d.Name, strings.Join(known, ", "))
	}
	// Atoi also takes "+5" and "007"; a URL has one spelling.
	n, err := strconv.Atoi(value)
	if err != nil || strconv.Itoa(n) != value || n < d.Min || n > d.Max || (n-d.Min)%max(d.Step, 1) != 0 {
		steps := ""
		if d.Step > 1 {
			steps = " in steps of " + strconv.Itoa(d.Step)
		}
		return Invalid("%s is a whole number from %d to %d%s", d.Name, d.Min, d.Max, steps)
	}
	return nil
}
