package bloomrows

import (
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

func TestEveryRowRuns(t *testing.T) {
	rows, err := Rows(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		t.Run(r.Workload, func(t *testing.T) {
			if _, err := harness.Run(r, harness.Budget{Rounds: 1, Batch: time.Millisecond}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
