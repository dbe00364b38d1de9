package claim

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// sparks joins numbered facts, such as depth-00 … depth-15, into lines of bars, by the name before the number; the tallest bar is the
// largest of them. In JSON they stay numbers. It returns the other facts as they are.
func sparks(f Facts) (lines map[string]string, rest Facts) {
	numbered := regexp.MustCompile(`^(.+)-\d\d$`)
	series := make(map[string][]float64)
	rest = make(Facts)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if m := numbered.FindStringSubmatch(name); m != nil {
			series[m[1]] = append(series[m[1]], f[name])
		} else {
			rest[name] = f[name]
		}
	}
	lines = make(map[string]string)
	for name, values := range series {
		lines[name] = spark(values)
	}
	return lines, rest
}

func spark(values []float64) string {
	bars := []rune("▁▂▃▄▅▆▇█")
	highest := slices.Max(values)
	var line strings.Builder
	for _, v := range values {
		level := 0
		if highest > 0 {
			level = int(max(v, 0) / highest * float64(len(bars)-1))
		}
		line.WriteRune(bars[level])
	}
	return line.String()
}
