package ratelimit_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/ratelimit"
	"github.com/sysblocks/sysblocks/ratelimit/redislimit"
)

const (
	fleetBurst = 200
	fleetRate  = 500 // per second
	fleetRun   = 1500 * time.Millisecond
	fleetLease = 20
)

// TestFleetMember is a process of the fleet, run by TestFourProcessesNeverExceedTheBound.
func TestFleetMember(t *testing.T) {
	addr := os.Getenv("FLEET_REDIS")
	if addr == "" {
		t.Skip("run by TestFourProcessesNeverExceedTheBound")
	}
	lease, err := strconv.Atoi(os.Getenv("FLEET_LEASE"))
	if err != nil {
		t.Fatal(err)
	}
	l := newLimiter(t, client(t, addr), redislimit.Options{LeaseMax: lease}, ratelimit.PerSecond(fleetRate).WithBurst(fleetBurst))
	var mu sync.Mutex
	var first, last int64
	admitted, decisions := 0, 0
	var wg sync.WaitGroup
	end := time.Now().Add(fleetRun)
	for range 8 {
		wg.Go(func() {
			for time.Now().Before(end) {
				before := time.Now().UnixNano()
				d, err := l.Take(t.Context(), "hot", 1)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				decisions++
				if d.OK {
					admitted++
					last = max(last, time.Now().UnixNano())
					if first == 0 || before < first {
						first = before
					}
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	fmt.Printf("\nfleet %d %d %d %d %d\n", admitted, first, last, decisions, l.Stats().Calls)
}

func TestFourProcessesNeverExceedTheBound(t *testing.T) {
	const members = 4
	for _, lease := range []int{0, fleetLease} {
		t.Run(fmt.Sprint("lease=", lease), func(t *testing.T) {
			server := servers.Redis(t)
			outputs := make([]string, members)
			var wg sync.WaitGroup
			for i := range members {
				wg.Go(func() {
					cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestFleetMember$")
					cmd.Env = append(os.Environ(), "FLEET_REDIS="+server.Addr, "FLEET_LEASE="+strconv.Itoa(lease))
					out, err := cmd.CombinedOutput()
					if err != nil {
						t.Errorf("%v\n%s", err, out)
					}
					outputs[i] = string(out)
				})
			}
			wg.Wait()
			var total, first, last, decisions, calls int64
			for _, out := range outputs {
				at := strings.Index(out, "\nfleet ")
				if at < 0 {
					t.Fatalf("no report:\n%s", out)
				}
				var n, from, to, d, c int64
				if _, err := fmt.Sscanf(out[at+1:], "fleet %d %d %d %d %d", &n, &from, &to, &d, &c); err != nil {
					t.Fatal(err)
				}
				total, decisions, calls, last = total+n, decisions+d, calls+c, max(last, to)
				if first == 0 || from < first {
					first = from
				}
			}
			elapsed := time.Duration(last - first)
			most := int64(fleetBurst) + int64(elapsed.Seconds()*fleetRate) + int64(members*lease)
			t.Logf("%d admitted in %v, at most %d may; %d decisions in %d calls", total, elapsed, most, decisions, calls)
			if total > most {
				t.Errorf("%d admitted in %v, at most %d may", total, elapsed, most)
			}
			if total < most/2 {
				t.Errorf("only %d admitted in %v of %d", total, elapsed, most)
			}
		})
	}
}
