// Package servers starts private Redis, PostgreSQL and MariaDB servers for
// tests: each on a free port of the loopback interface, with its data in a
// temporary folder, gone when the test ends.
//
// A test may do to its server what operations and accidents do to one:
//
//	s := servers.Redis(t)
//	rdb := redis.NewClient(&redis.Options{Addr: s.Addr})
//	s.Pause()   // alive, but silent: clients run into their time-outs
//	s.Resume()
//	s.Kill()    // the power cut: SIGKILL, no good-bye
//	s.Restart() // same address, same data
//
// The binaries are those on PATH or in the distribution's usual places. A
// missing one skips the test, visibly; with INTEGRATION=required in the
// environment it fails instead.
package servers
