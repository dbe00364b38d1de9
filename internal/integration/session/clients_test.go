package session_test

import (
	"testing"

	"github.com/sysblocks/sysblocks/internal/integration/clients"
	"github.com/sysblocks/sysblocks/internal/integration/servers"
	"github.com/sysblocks/sysblocks/session"
	"github.com/sysblocks/sysblocks/session/redissession"
	"github.com/sysblocks/sysblocks/session/sessiontest"
)

// scs has one store per client type and none for a cluster (S12). Here any client fits.
func TestRegressionS12OtherClientsFit(t *testing.T) {
	for name, do := range clients.All(t, servers.Redis(t).Addr) {
		t.Run(name, func(t *testing.T) {
			sessiontest.Run(t, func(t *testing.T) session.Store {
				t.Helper()
				s, err := redissession.New(do, redissession.Options{Prefix: name + t.Name() + ":"})
				if err != nil {
					t.Fatal(err)
				}
				return s
			})
		})
	}
}
