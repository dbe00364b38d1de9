package hashring_test

import (
	"fmt"
	"log"

	"github.com/sysblocks/sysblocks/hashring"
)

// follow keeps a ring equal to what discovery reports: memberlist, Kubernetes endpoints, or DNS. Reports may be
// repeated, late or wrong; a wrong one is logged and the ring stays as it was.
func follow(ring *hashring.Ring[string], reports <-chan []hashring.Node[string], moved func(string, float64)) {
	for nodes := range reports {
		change, err := ring.Set(nodes)
		if err != nil {
			fmt.Println("ignored:", err)
			continue
		}
		gains := map[string]float64{}
		for move := range change.Moves(2) {
			for _, n := range move.Gained() {
				gains[n.ID] += move.Range.Fraction()
			}
		}
		for n := range change.New.All() {
			if gains[n.ID] > 0 {
				moved(n.ID, gains[n.ID])
			}
		}
	}
}

// A membership loop: discovery sends lists through a channel, requests read the ring without a lock.
func Example_membershipLoop() {
	ring, err := hashring.New(hashring.Nodes("a", "b", "c"), hashring.Options{})
	if err != nil {
		log.Fatal(err)
	}
	reports := make(chan []hashring.Node[string])
	done := make(chan struct{})
	go func() {
		defer close(done)
		follow(ring, reports, func(id string, part float64) {
			fmt.Printf("%s now also holds %.0f%% of the data\n", id, 100*part)
		})
	}()
	reports <- hashring.Nodes("c", "b", "a")      // another order: nothing happens
	reports <- hashring.Nodes("a", "b", "c", "d") // d joins
	reports <- hashring.Nodes("a", "b", "b")      // nonsense
	reports <- hashring.Nodes("a", "b", "d")      // c is gone
	close(reports)
	<-done
	fmt.Println(ring.Snapshot().Len(), "nodes")
	// Output:
	// d now also holds 55% of the data
	// ignored: hashring: invalid argument: Node.ID "b" is given twice
	// a now also holds 14% of the data
	// b now also holds 14% of the data
	// d now also holds 17% of the data
	// 3 nodes
}
