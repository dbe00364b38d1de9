package limittest

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/ratelimit"
)

func local(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
	t.Helper()
	k, err := ratelimit.NewKeyed[string](limits, ratelimit.Options{Capacity: 100})
	if err != nil {
		t.Fatal(err)
	}
	return ratelimit.Local(k)
}

func TestLocalKeepsTheContract(t *testing.T) { Run(t, local) }

// wrong is a backend with one defect on top of a right one.
type wrong struct {
	ratelimit.Backend
	take   func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error)
	limits func() []ratelimit.Limit
}

func (w wrong) Take(ctx context.Context, key string, n int) (ratelimit.Decision, error) {
	return w.take(w.Backend, ctx, key, n)
}

func (w wrong) Limits() []ratelimit.Limit {
	if w.limits != nil {
		return w.limits()
	}
	return w.Backend.Limits()
}

// defect is a wrong backend and the rule that must catch it.
type defect struct {
	rule string
	make maker
}

func with(take func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error)) maker {
	return func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
		t.Helper()
		return wrong{Backend: local(t, limits...), take: take}
	}
}

func defects() map[string]defect {
	return map[string]defect{
		"admits everything": {"AdmitsExactlyTheBurstThenDenies", with(
			func(_ ratelimit.Backend, ctx context.Context, _ string, _ int) (ratelimit.Decision, error) {
				return ratelimit.Decision{OK: true, Limit: 5, Remaining: 5}, ctx.Err()
			})},
		"misreports Remaining": {"AdmitsExactlyTheBurstThenDenies", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				d, err := b.Take(ctx, key, n)
				d.Remaining++
				return d, err
			})},
		"ignores n": {"CountsNTokensNotOneCall", with(
			func(b ratelimit.Backend, ctx context.Context, key string, _ int) (ratelimit.Decision, error) {
				return b.Take(ctx, key, 1)
			})},
		"charges on denial": {"DenialChargesNothing", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				d, err := b.Take(ctx, key, n)
				if !d.OK && d.Remaining > 0 {
					_, _ = b.Take(ctx, key, 1)
				}
				return d, err
			})},
		"accepts negative n": {"NegativeTokensAreDenied", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				return b.Take(ctx, key, max(n, 0))
			})},
		"mixes keys": {"KeysAreIndependent", with(
			func(b ratelimit.Backend, ctx context.Context, _ string, n int) (ratelimit.Decision, error) {
				return b.Take(ctx, "", n)
			})},
		"ignores a done context": {"DoneContextDecidesNothing", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				return b.Take(context.WithoutCancel(ctx), key, n)
			})},
		"RetryAfter too short": {"RetryAfterIsTrue", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				d, err := b.Take(ctx, key, n)
				d.RetryAfter /= 2
				return d, err
			})},
		"RetryAfter of a whole window": {"RetryAfterIsTrue", with(
			func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				d, err := b.Take(ctx, key, n)
				if !d.OK && d.RetryAfter != ratelimit.Never {
					d.RetryAfter = time.Second
				}
				return d, err
			})},
		"misreports Limits": {"LimitsAreReported", func(t *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
			t.Helper()
			w := wrong{Backend: local(t, limits...), limits: func() []ratelimit.Limit { return limits[:1] }}
			w.take = func(b ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
				return b.Take(ctx, key, n)
			}
			return w
		}},
		"forgets concurrency": {"ConcurrentCallsNeverExceedTheBurst", careless},
	}
}

// careless reads and writes its counter in two steps, and lets others in between.
func careless(_ *testing.T, limits ...ratelimit.Limit) ratelimit.Backend {
	var mu sync.Mutex
	used := map[string]int{}
	return wrong{
		limits: func() []ratelimit.Limit { return limits },
		take: func(_ ratelimit.Backend, ctx context.Context, key string, n int) (ratelimit.Decision, error) {
			mu.Lock()
			was := used[key]
			mu.Unlock()
			<-time.After(time.Millisecond)
			if was+n > int(limits[0].Count) {
				return ratelimit.Decision{RetryAfter: time.Hour}, ctx.Err()
			}
			mu.Lock()
			used[key] = was + n
			mu.Unlock()
			return ratelimit.Decision{OK: true}, ctx.Err()
		},
	}
}

// TestDefect is run by TestKitRejectsWrongBackends in a process of its own, where it is expected to fail.
func TestDefect(t *testing.T) {
	name := os.Getenv("LIMITTEST_DEFECT")
	if name == "" {
		t.Skip("run by TestKitRejectsWrongBackends")
	}
	Run(t, defects()[name].make)
}

func TestKitRejectsWrongBackends(t *testing.T) {
	for name, d := range defects() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestDefect$", "-test.v")
			cmd.Env = append(os.Environ(), "LIMITTEST_DEFECT="+name)
			out, err := cmd.CombinedOutput()
			if err == nil {
				t.Fatal("the kit passes it")
			}
			if !strings.Contains(string(out), "--- FAIL: TestDefect/"+d.rule) {
				t.Errorf("%s did not fail:\n%s", d.rule, out)
			}
		})
	}
}
