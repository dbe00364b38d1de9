package local

import (
	"context"
	"net/http"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/problem"
)

// Lab is the first gateway, and beside it the faults by HTTP: for -serve, on a machine of one's own.
func (s *System) Lab() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", s.Gateways[0])
	act := func(pattern string, do func(ctx context.Context, machine string) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.Context(), r.PathValue("machine")); err != nil {
				problem.Write(w, http.StatusConflict, err.Error())
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	act("POST /lab/kill/{machine}", func(_ context.Context, machine string) error { return s.Kill(machine) })
	act("POST /lab/drain/{machine}", s.Drain)
	act("POST /lab/start/{machine}", func(ctx context.Context, machine string) error {
		if err := s.Start(machine); err != nil {
			return err
		}
		return s.Await(ctx, machine, proxy.Ready)
	})
	act("POST /lab/stall", func(context.Context, string) error { s.Stall(true); return nil })
	act("POST /lab/resume", func(context.Context, string) error { s.Stall(false); return nil })
	return http.NewCrossOriginProtection().Handler(mux) // no page on the web may kill machines here
}
