package tinyurl_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/program"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// TestProcessesShareNoCodeOneQuotaAndEveryLink runs three processes of four instances each on one Redis and one PostgreSQL.
func TestProcessesShareNoCodeOneQuotaAndEveryLink(t *testing.T) {
	shared, store := servers.Redis(t), servers.Postgres(t)
	for _, scheme := range []string{"segment", "snowflake"} {
		t.Run(scheme, func(t *testing.T) {
			var processes []*program.Process
			for range 3 {
				processes = append(processes, program.Serve(t, tinyurl, "-codes", scheme, "-redis", shared.Addr, "-postgres", store.DSN))
			}
			client := &http.Client{
				Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
				CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			}
			codes := creations(t, client, processes, scheme)
			client.CloseIdleConnections()
			for _, code := range codes { // each is known to every process, at once
				for _, p := range processes {
					response := do(t, client, http.MethodGet, p.URL+"/"+code, "", "")
					require.Equal(t, http.StatusFound, response.status, "%s at %s", code, p.URL)
				}
			}
			client.CloseIdleConnections()
			for _, p := range processes {
				p.Stop(t)
			}
		})
	}
}

func TestLinksAreServedWhileRedisIsAway(t *testing.T) {
	shared, store := servers.Redis(t), servers.Postgres(t)
	p := program.Serve(t, tinyurl, "-redis", shared.Addr, "-postgres", store.DSN)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	body := `{"url":"https://example.com/","alias":"kept"}`
	require.Equal(t, http.StatusCreated, do(t, client, http.MethodPost, p.URL+"/api/links", body, "ada").status)
	shared.Kill()
	for range 8 { // each of the four instances, before and after the link is in its cache
		require.Equal(t, http.StatusFound, do(t, client, http.MethodGet, p.URL+"/kept", "", "").status)
	}
	require.Equal(t, http.StatusNotFound, do(t, client, http.MethodGet, p.URL+"/never", "", "").status)
	refused := do(t, client, http.MethodPost, p.URL+"/api/links", `{"url":"https://example.com/"}`, "ada")
	require.Equal(t, http.StatusServiceUnavailable, refused.status, "a link that the filter would deny later")
	require.NotEmpty(t, refused.header.Get("Retry-After"))
}

// creations lets many owners use up their quotas at all processes, and returns the codes.
func creations(t *testing.T, client *http.Client, processes []*program.Process, scheme string) (codes []string) {
	t.Helper()
	const owners, burst = 24, 5
	var mu sync.Mutex
	seen := map[string]bool{}
	var all sync.WaitGroup
	refused := 0
	for o := range owners {
		all.Go(func() {
			for i := range 3 * burst {
				p := processes[i%len(processes)]
				response := do(t, client, http.MethodPost, p.URL+"/api/links", `{"url":"https://example.com/"}`, fmt.Sprintf("%s-%d", scheme, o))
				mu.Lock()
				switch response.status {
				case http.StatusCreated:
					code := strings.TrimPrefix(response.header.Get("Location"), "/api/links/")
					if seen[code] {
						t.Errorf("the code %s is given out twice", code)
					}
					seen[code] = true
					codes = append(codes, code)
				case http.StatusTooManyRequests:
					refused++
				default:
					t.Errorf("status %d", response.status)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	require.GreaterOrEqual(t, len(codes), owners*burst)
	require.Positive(t, refused, "three processes grant more than one quota")
	return codes
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
}

// do sends a request in a name and reads the answer.
func do(t *testing.T, client *http.Client, method, url, body, owner string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return answer{}
	}
	if owner != "" {
		request.Header.Set("Authorization", "Bearer "+owner)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Error(err)
		return answer{}
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Error(err)
	}
	return answer{response.StatusCode, response.Header}
}
