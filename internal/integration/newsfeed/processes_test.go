package newsfeed_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

// TestAnotherProcessTakesOverWhatADeadOneHadInHand kills a process with SIGKILL while each of its workers holds messages, in the middle
// of their transactions. A second one must deliver every acknowledged post once, also when Redis has forgotten the whole queue.
func TestAnotherProcessTakesOverWhatADeadOneHadInHand(t *testing.T) {
	for _, forgets := range []bool{false, true} {
		t.Run(fmt.Sprintf("queue-is-lost=%v", forgets), func(t *testing.T) {
			broker, store := servers.Redis(t), servers.Postgres(t)
			queue, db := clientOf(t, broker), dbOf(t, store)
			args := []string{"-strategy", "write", "-redis", broker.Addr, "-postgres", store.DSN}
			first := serve(t, args...)
			authors := []string{"ada", "bob", "cyd", "dan", "eve", "fay", "gus", "hal"}
			for _, author := range authors {
				require.Equal(t, http.StatusNoContent, do(t, http.DefaultClient, http.MethodPut, first.URL+"/api/follows/"+author, "", "reader").status)
			}
			w := startWriters(t, first.URL, authors)
			until(t, "60 posts", func() bool { return w.count() >= 60 })
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), `LOCK TABLE sysblocks_newsfeed.timeline IN EXCLUSIVE MODE`)
			require.NoError(t, err)
			until(t, "messages in hand", func() bool { return pending(t, queue) > 0 })
			require.NoError(t, first.command.Process.Kill())
			_ = first.command.Wait() // killed
			acked := w.end()
			require.NoError(t, tx.Rollback())
			held := pending(t, queue)
			require.Positive(t, held)
			if forgets {
				require.NoError(t, queue.FlushAll(t.Context()).Err())
			}
			taken := commands(t, queue, "xclaim")

			second := serve(t, args...)
			until(t, "an empty queue", func() bool { return waiting(t, second.URL) == `{"dead":0,"pending":0,"waiting":0}` })
			var seen []string
			until(t, "all posts", func() bool { seen = home(t, second.URL, "reader"); return len(seen) >= len(acked) })
			for _, text := range acked {
				n := 0
				for _, s := range seen {
					if s == text {
						n++
					}
				}
				require.Equal(t, 1, n, "%s", text)
			}
			if !forgets {
				require.GreaterOrEqual(t, commands(t, queue, "xclaim")-taken, held, "messages taken over")
			}
			http.DefaultClient.CloseIdleConnections()
			second.stop(t)
		})
	}
}

// writers post in eight names until they are ended or refused.
type writers struct {
	mu    sync.Mutex
	acked []string
	ended bool
	all   sync.WaitGroup
}

func startWriters(t *testing.T, url string, authors []string) *writers {
	t.Helper()
	w := new(writers)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(authors)}}
	t.Cleanup(client.CloseIdleConnections)
	for _, author := range authors {
		w.all.Go(func() {
			for i := 0; !w.over(); i++ {
				text := fmt.Sprintf("%s says %d", author, i)
				request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/api/posts", strings.NewReader(fmt.Sprintf(`{"text":%q}`, text)))
				if err != nil {
					t.Error(err)
					return
				}
				request.Header.Set("Authorization", "Bearer "+author)
				response, err := client.Do(request)
				if err != nil {
					return // the process is dead
				}
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode == http.StatusCreated {
					w.mu.Lock()
					w.acked = append(w.acked, text)
					w.mu.Unlock()
				}
			}
		})
	}
	return w
}

func (w *writers) over() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.ended
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acked)
}

// end returns what was acknowledged.
func (w *writers) end() []string {
	w.mu.Lock()
	w.ended = true
	w.mu.Unlock()
	w.all.Wait()
	return w.acked
}

// pending is Redis's own list of messages that were handed out and not acknowledged.
func pending(t *testing.T, queue *redis.Client) (n int) {
	t.Helper()
	streams, err := queue.Keys(t.Context(), "*queue:*").Result()
	require.NoError(t, err)
	for _, stream := range streams {
		p, err := queue.XPending(t.Context(), stream, "fanout").Result()
		require.NoError(t, err)
		n += int(p.Count)
	}
	return n
}

func waiting(t *testing.T, url string) string {
	t.Helper()
	return strings.TrimSpace(do(t, http.DefaultClient, http.MethodGet, url+"/api/queue", "", "").body)
}

// home pages through all that a reader sees.
func home(t *testing.T, url, reader string) (texts []string) {
	t.Helper()
	for next := "/api/home?limit=100"; next != ""; {
		var page struct {
			Data  []struct{ Text string } `json:"data"`
			Links struct{ Next string }   `json:"links"`
		}
		require.NoError(t, json.Unmarshal([]byte(do(t, http.DefaultClient, http.MethodGet, url+next, "", reader).body), &page))
		for _, p := range page.Data {
			texts = append(texts, p.Text)
		}
		next = page.Links.Next
	}
	return texts
}

// TestProcessesShareSessionsQuotasAndPosts runs three processes on one Redis and one PostgreSQL. A browser posts at one and looks at the
// next, whose followers know nothing yet.
func TestProcessesShareSessionsQuotasAndPosts(t *testing.T) {
	broker, store := servers.Redis(t), servers.Postgres(t)
	var processes []*process
	for range 3 {
		processes = append(processes, serve(t, "-lag", "2s", "-redis", broker.Addr, "-postgres", store.DSN))
	}
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Transport: &http.Transport{}}
	defer browser.CloseIdleConnections()
	ids := map[string]bool{}
	refused := 0
	for i := range 30 {
		at, next := processes[i%3], processes[(i+1)%3]
		made := do(t, browser, http.MethodPost, at.URL+"/api/posts", fmt.Sprintf(`{"text":"post %d"}`, i), "ada")
		if made.status == http.StatusTooManyRequests {
			refused++
			continue
		}
		require.Equal(t, http.StatusCreated, made.status, made.body)
		location := made.header.Get("Location")
		require.False(t, ids[location], "an id was given twice")
		ids[location] = true
		seen := do(t, browser, http.MethodGet, next.URL+"/api/home", "", "ada")
		require.Contains(t, seen.body, fmt.Sprintf("post %d\"", i), "at the next process")
		require.Equal(t, http.StatusOK, do(t, browser, http.MethodGet, next.URL+location, "", "").status)
	}
	require.GreaterOrEqual(t, len(ids), 20)
	require.Positive(t, refused, "three processes grant more than one quota")
	stranger := &http.Client{Transport: &http.Transport{}}
	defer stranger.CloseIdleConnections()
	for _, p := range processes { // the log reaches the followers of every process
		until(t, "the last post at a follower", func() bool {
			return strings.Contains(do(t, stranger, http.MethodGet, p.URL+"/api/home", "", "ada").body, `post 19"`)
		})
	}
	browser.CloseIdleConnections()
	stranger.CloseIdleConnections()
	for _, p := range slices.Backward(processes) {
		p.stop(t)
	}
}

func TestReadersAreServedWhileRedisIsAway(t *testing.T) {
	broker, store := servers.Redis(t), servers.Postgres(t)
	p := serve(t, "-redis", broker.Addr, "-postgres", store.DSN)
	defer func() { _ = p.command.Wait() }()
	defer func() { _ = p.command.Process.Kill() }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	require.Equal(t, http.StatusCreated, do(t, client, http.MethodPost, p.URL+"/api/posts", `{"text":"kept"}`, "ada").status)
	seenAt := 0
	until(t, "the post at both followers, who take turns", func() bool {
		if strings.Contains(do(t, client, http.MethodGet, p.URL+"/api/home", "", "ada").body, "kept") {
			seenAt++
		} else {
			seenAt = 0
		}
		return seenAt == 4
	})
	broker.Kill()
	seen := do(t, client, http.MethodGet, p.URL+"/api/home", "", "ada")
	require.Equal(t, http.StatusOK, seen.status)
	require.Contains(t, seen.body, "kept")
	refused := do(t, client, http.MethodPost, p.URL+"/api/posts", `{"text":"x"}`, "ada")
	require.Equal(t, http.StatusServiceUnavailable, refused.status)
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   string
}

// do sends a request in a name and reads the answer.
func do(t *testing.T, client *http.Client, method, url, body, name string) answer {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	if name != "" {
		request.Header.Set("Authorization", "Bearer "+name)
	}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Header, string(text)}
}
