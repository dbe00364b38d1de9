package gateway_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sysblocks/sysblocks/internal/integration/program"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
)

func TestClaimsHoldOnARealRedisWhichDidTheWork(t *testing.T) {
	store := servers.Redis(t)
	client := program.Redis(t, store)
	for _, policy := range []string{"least", "bounded"} {
		scripts, loads := program.Commands(t, client, "evalsha"), program.Commands(t, client, "hmget")
		verdicts, code, stderr := program.Demo(t, gateway, func(program.Verdict) {}, "-redis", store.Addr, "-policy", policy)
		for _, v := range verdicts {
			if !v.Pass && v.Claims == 0 {
				t.Errorf("%+v", v)
			}
		}
		require.Zero(t, code, stderr)
		summary := verdicts[len(verdicts)-1]
		require.Equal(t, "redis", summary.Engines)
		require.Equal(t, 6, summary.Held)
		require.Equal(t, 6, summary.Broke)
		require.Greater(t, program.Commands(t, client, "evalsha"), scripts+300, "decisions about limits")
		require.Greater(t, program.Commands(t, client, "hmget"), loads+40, "sessions read by other machines")
	}
	keys, err := client.Keys(t.Context(), "*").Result()
	require.NoError(t, err)
	require.Empty(t, keys, "a demo leaves keys behind")
}

func TestARedisThatDiesInMidRunIsNeverAPass(t *testing.T) {
	for _, after := range []string{"a", "c", "e"} {
		t.Run("after="+after, func(t *testing.T) {
			store := servers.Redis(t)
			verdicts, code, stderr := program.Demo(t, gateway, func(v program.Verdict) {
				if v.Claim == after {
					store.Kill()
				}
			}, "-redis", store.Addr)
			require.Contains(t, []int{1, 2}, code, stderr)
			last := verdicts[len(verdicts)-1]
			require.Less(t, last.Held, last.Claims)
			for _, v := range verdicts { // d and f need the store; b and e are arithmetic
				if (v.Claim == "f" || v.Claim == "d" && after == "a") && v.Pass {
					t.Errorf("passes without its server: %+v", v)
				}
			}
		})
	}
}

func TestARedisThatDoesNotAnswerAtTheStartIsWrongUse(t *testing.T) {
	for name, spoil := range map[string]func(s *servers.Server) (mend func()){
		"killed": func(s *servers.Server) func() { s.Kill(); return func() {} },
		"paused": func(s *servers.Server) func() { s.Pause(); return s.Resume },
	} {
		t.Run(name, func(t *testing.T) {
			store := servers.Redis(t)
			defer spoil(store)()
			began := time.Now()
			verdicts, code, stderr := program.Demo(t, gateway, func(program.Verdict) {}, "-redis", store.Addr)
			require.Equal(t, 2, code, stderr)
			require.Empty(t, verdicts)
			require.Contains(t, stderr, "-redis")
			require.Less(t, time.Since(began), 10*time.Second) // 3 s, and a busy machine
		})
	}
}
