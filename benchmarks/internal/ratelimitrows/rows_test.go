package ratelimitrows

import (
	"testing"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func TestEveryRowRuns(t *testing.T) {
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if _, err := harness.Run(row, harness.Budget{}); err != nil {
			t.Errorf("%s: %v", row.Workload, err)
		}
	}
}
