// Package tinyurl_test runs the example tinyurl, built as a user builds it, against real servers: their own counters must show
// that they did the work, and their death must show in the exit code.
package tinyurl_test

import (
	"testing"

	"github.com/sysblocks/sysblocks/internal/integration/program"
)

var tinyurl string // the program

func TestMain(m *testing.M) { program.Main(m, "tinyurl", &tinyurl) }
