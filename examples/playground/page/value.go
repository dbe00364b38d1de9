package page

import (
	"math"
	"strconv"
	"strings"
)

// Tone says whether a value is as promised.
type Tone string

// The tones; what is neither good nor bad has none.
const (
	Plain Tone = ""
	Good  Tone = "good"
	Bad   Tone = "bad"
)

// Value is one fact: as text for people and as a number for programs.
type Value struct {
	Text   string `json:"text"`
	Number string `json:"value"` // decimal digits, or the text of a fact that is not a number
	Tone   Tone   `json:"tone,omitempty"`
}

// Count is a whole number: 100000 is shown as 100,000.
func Count[N ~int | ~int64 | ~uint64](n N) Value {
	digits := strconv.FormatInt(int64(n), 10)
	return Value{Text: group(digits), Number: digits}
}

// Share is a part of one, shown in per cent.
func Share(x float64) Value {
	return Value{Text: number(100*x, 1) + " %", Number: number(x, 6)}
}

// Ratio is a number with two decimals.
func Ratio(x float64) Value { return Value{Text: number(x, 2), Number: number(x, 6)} }

// Millis is a time in whole milliseconds.
func Millis(ms int64) Value {
	v := Count(ms)
	v.Text += " ms"
	return v
}

// Text is a fact that is not a number.
func Text(s string) Value { return Value{Text: s, Number: s} }

// None is a fact that has no value yet.
func None() Value { return Value{Text: "–"} }

// If colours a value that has been promised.
func (v Value) If(kept bool) Value {
	v.Tone = Bad
	if kept {
		v.Tone = Good
	}
	return v
}

func number(x float64, decimals int) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return "–"
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// group puts a comma before every third digit from the end.
func group(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
