package gateway_test

import (
	"net/http"
	"net/http/cookiejar"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/program"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// The limit of -serve: one a second, twenty at once.
const (
	rate  = 1.0
	burst = 20.0
)

// overfull counts the windows, from the start of one admitted request to the end of another, that hold more than the limit allows.
func overfull(admitted []answer) (windows, over int) {
	for _, first := range admitted {
		for _, last := range admitted {
			inside := 0.0
			for _, a := range admitted {
				if !a.from.Before(first.from) && !a.to.After(last.to) {
					inside++
				}
			}
			if inside == 0 {
				continue
			}
			windows++
			if inside > burst+rate*last.to.Sub(first.from).Seconds() {
				over++
			}
		}
	}
	return windows, over
}

// greedy lets 16 clients send in one name through all processes for a while. It returns the answers that were admitted, and those
// to requests whose process was gone.
func greedy(t *testing.T, client *http.Client, lasts time.Duration, during func(), processes ...*program.Process) (admitted, gone []answer, numbers map[string]int) {
	t.Helper()
	var mu sync.Mutex
	var all sync.WaitGroup
	numbers = map[string]int{}
	began := time.Now()
	for worker := range 16 {
		all.Go(func() {
			for i := worker; time.Since(began) < lasts; i++ {
				got := do(t, client, http.MethodGet, processes[i%len(processes)].URL+"/me", "", "greedy")
				mu.Lock()
				switch got.status {
				case http.StatusOK:
					admitted = append(admitted, got)
					numbers[got.header.Get("X-Request-Id")]++
				case http.StatusTooManyRequests:
					numbers[got.header.Get("X-Request-Id")]++
				default:
					gone = append(gone, got)
				}
				mu.Unlock()
			}
		})
	}
	during()
	all.Wait()
	return admitted, gone, numbers
}

func TestFourProcessesShareOneLimitAndNoRequestNumber(t *testing.T) {
	store := servers.Redis(t)
	var processes []*program.Process
	for range 4 {
		processes = append(processes, program.Serve(t, gateway, "-redis", store.Addr, "-backends", "2", "-on-error", "closed"))
	}
	redis := program.Redis(t, store)
	scripts := program.Commands(t, redis, "evalsha")
	admitted, gone, numbers := greedy(t, newClient(t), 3*time.Second, func() {}, processes...)
	windows, over := overfull(admitted)
	require.Zero(t, over, "of %d windows", windows)
	require.GreaterOrEqual(t, len(admitted), int(burst))
	require.Empty(t, gone)
	require.Greater(t, program.Commands(t, redis, "evalsha"), scripts+len(admitted)-1, "decisions of the server")
	require.Greater(t, len(numbers), 4*int(burst))
	for number, times := range numbers {
		if times != 1 || number == "" {
			t.Fatalf("the number %q was given %d times", number, times)
		}
	}
	for _, p := range processes {
		p.Stop(t)
	}
}

func TestAGatewayThatIsKilledTakesNothingWithIt(t *testing.T) {
	store := servers.Redis(t)
	var processes []*program.Process
	for range 3 {
		processes = append(processes, program.Serve(t, gateway, "-redis", store.Addr, "-backends", "2", "-on-error", "closed"))
	}
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := newClient(t)
	browser.Jar = jar // cookies do not care about ports, as browsers do not
	require.Equal(t, http.StatusOK, do(t, browser, http.MethodPost, processes[0].URL+"/login", "user=ada", "").status)
	require.Equal(t, http.StatusOK, do(t, browser, http.MethodPost, processes[0].URL+"/cart", "item=tea", "").status)
	admitted, gone, _ := greedy(t, newClient(t), 3*time.Second, processes[0].Kill, processes...)
	_, over := overfull(admitted)
	require.Zero(t, over, "the limit holds through the death of a gateway")
	require.GreaterOrEqual(t, len(admitted), int(burst)/2)
	require.NotEmpty(t, gone, "nobody noticed that it died")
	for _, p := range processes[1:] {
		got := do(t, browser, http.MethodPost, p.URL+"/cart", "item=cup", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.body, `"user":"ada","items":["tea"`)
	}
}

func TestMachinesStopUnderLoadWithoutAFailureAndDieWithFew(t *testing.T) {
	store := servers.Redis(t)
	var machines []*program.Process
	var urls []string
	for range 4 {
		m := program.Start(t, gateway, "machine", "-redis", store.Addr)
		machines, urls = append(machines, m), append(urls, m.URL)
	}
	to := strings.Join(urls, ",")
	one := program.Serve(t, gateway, "-redis", store.Addr, "-to", to)
	two := program.Serve(t, gateway, "-redis", store.Addr, "-to", to, "-policy", "two")
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := newClient(t)
	browser.Jar = jar
	require.Equal(t, http.StatusOK, do(t, browser, http.MethodPost, one.URL+"/login", "user=ada", "").status)

	var l load
	l.run(t, newClient(t), one.URL, two.URL)
	l.settle(200)
	machines[0].Stop(t) // SIGTERM; it exits with 0
	l.settle(200)
	machines[1].Stop(t)
	l.settle(200)
	require.Zero(t, l.failed.Load(), "of %d requests, while machines stopped in order", l.sent.Load())
	machines[2].Kill()
	l.settle(200)
	cut := l.failed.Load()
	require.LessOrEqual(t, cut, int64(16), "more than what was under way")
	require.Positive(t, cut, "nothing was under way, so nothing was tested")
	l.settle(200)
	require.Equal(t, cut, l.failed.Load(), "requests go on failing")
	l.end()
	for _, url := range []string{one.URL, two.URL} {
		got := do(t, browser, http.MethodGet, url+"/me", "", "")
		require.Equal(t, http.StatusOK, got.status)
		require.Contains(t, got.body, `"user":"ada"`)
		require.Equal(t, "machine-4", got.header.Get("X-Machine"))
	}
	one.Stop(t)
	two.Stop(t)
	machines[3].Stop(t)
}

// TestAStoreThatStopsAnsweringCostsItsDeadline freezes a real Redis: connections stay open, nothing comes back.
func TestAStoreThatStopsAnsweringCostsItsDeadline(t *testing.T) {
	store := servers.Redis(t)
	open := program.Serve(t, gateway, "-redis", store.Addr)
	closed := program.Serve(t, gateway, "-redis", store.Addr, "-on-error", "closed")
	client := newClient(t)
	me := func(p *program.Process) answer { return do(t, client, http.MethodGet, p.URL+"/me", "", "somebody") }
	for _, p := range []*program.Process{open, closed} {
		got := me(p)
		require.Equal(t, http.StatusOK, got.status)
		require.NotEmpty(t, got.header.Get("X-RateLimit-Remaining"))
	}
	store.Pause()
	defer store.Resume()
	for range 20 { // the breaker opens on the way
		got := me(open)
		require.Equal(t, http.StatusOK, got.status)
		require.Equal(t, "unavailable", got.header.Get("X-RateLimit-Status"))
		require.Less(t, got.to.Sub(got.from), time.Second)
		got = me(closed)
		require.Equal(t, http.StatusServiceUnavailable, got.status)
		require.Equal(t, "1", got.header.Get("Retry-After"))
		require.Less(t, got.to.Sub(got.from), time.Second)
	}
	store.Resume()
	for _, p := range []*program.Process{open, closed} {
		require.Eventually(t, func() bool {
			got := me(p)
			return got.status == http.StatusOK && got.header.Get("X-RateLimit-Remaining") != ""
		}, 20*time.Second, 100*time.Millisecond, "it does not count again")
	}
}
