// Package gateway_test runs the example gateway, built as a user builds it, on a real Redis and in several processes: gateways
// and machines that are stopped, killed and robbed of their store.
package gateway_test

import (
	"testing"

	"github.com/sysblocks/sysblocks/internal/integration/program"
)

var gateway string // the program

func TestMain(m *testing.M) { program.Main(m, "gateway", &gateway) }
