package cluster

import "testing"

func TestSourcesFenceReadsAndWritesOfTheOldEpoch(t *testing.T) {
	for q, want := range map[Quorum]int{
		{N: 3, W: 2, R: 2}: 2, {N: 3, W: 3, R: 1}: 3, {N: 3, W: 1, R: 3}: 3, {N: 1, W: 1, R: 1}: 1, {N: 5, W: 3, R: 3}: 3, {N: 5, W: 4, R: 2}: 4,
	} {
		got := q.sources()
		if got != want || got+q.R <= q.N || got+q.W <= q.N || got < q.R {
			t.Errorf("%+v: %d sources, want %d", q, got, want)
		}
	}
}
