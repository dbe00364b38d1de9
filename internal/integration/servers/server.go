package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// startLimit bounds one start. MariaDB needs seconds on a busy machine; a
// server that is not there after this long never will be.
const startLimit = 60 * time.Second

// Server is a running server. Its methods must be called from the goroutine of
// the test, and not concurrently.
type Server struct {
	Addr string // "127.0.0.1:port"
	DSN  string // for the SQL servers: what sql.Open takes

	t       testing.TB
	name    string
	port    int
	dir     string
	command func(s *Server) *exec.Cmd
	ready   func(ctx context.Context, s *Server) error
	cmd     *exec.Cmd
	exited  chan struct{} // closed when cmd has been waited for
}

// launch starts s on a free port. Somebody else may take the port between the
// choice and the bind, so it tries a few.
func (s *Server) launch(choose func() (int, error)) *Server {
	s.t.Helper()
	s.t.Cleanup(func() {
		s.Kill()
		if s.t.Failed() {
			s.t.Logf("%s said last:\n%s", s.name, s.tail())
		}
		if err := os.RemoveAll(s.dir); err != nil {
			s.t.Errorf("%s: %v", s.name, err)
		}
	})
	var err error
	for range 3 {
		if s.port, err = choose(); err != nil {
			break
		}
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if err = s.start(); err == nil {
			return s
		}
	}
	s.t.Fatalf("%s does not start: %v\n%s", s.name, err, s.tail())
	return nil
}

// start runs the command and waits until the server answers.
func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // the child has its own descriptor
	s.cmd = s.command(s)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	dieWithParent(s.cmd)
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.exited = make(chan struct{})
	go func() {
		_ = s.cmd.Wait() // the exit status of a killed server says nothing
		close(s.exited)
	}()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		try, stop := context.WithTimeout(ctx, 2*time.Second)
		err := s.ready(try, s)
		stop()
		if err == nil {
			return nil
		}
		select {
		case <-s.exited:
			return errors.Join(errors.New("exited at once"), err)
		case <-ctx.Done():
			s.Kill()
			return fmt.Errorf("not ready after %v: %w", startLimit, err)
		case <-tick.C:
		}
	}
}

// Kill ends the server as a power cut does: SIGKILL, to all of its processes.
// A server that has ended is left alone.
func (s *Server) Kill() {
	if s.running() {
		s.signal(syscall.SIGKILL)
		<-s.exited
	}
}

// Stop asks the server to shut down in an orderly way and waits for it.
func (s *Server) Stop() {
	s.t.Helper()
	if !s.running() {
		return
	}
	// SIGINT is PostgreSQL's fast shutdown; the others take it for SIGTERM or ignore it.
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			s.t.Fatalf("%s: %v", s.name, err)
		}
	}
	select {
	case <-s.exited:
	case <-time.After(startLimit):
		s.t.Fatalf("%s does not stop", s.name)
	}
}

// Restart starts the server again on its address and data; a running one is
// stopped first.
func (s *Server) Restart() {
	s.t.Helper()
	s.Stop()
	if err := s.start(); err != nil {
		s.t.Fatalf("%s does not restart: %v\n%s", s.name, err, s.tail())
	}
}

// Pause freezes the server (SIGSTOP): connections stay open, nothing answers.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Resume lets a paused server go on (SIGCONT).
func (s *Server) Resume() { s.signal(syscall.SIGCONT) }

func (s *Server) running() bool {
	if s.exited == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// signal reaches the server and what it has forked. The list is taken before
// the parent goes, since orphans are not found through it.
func (s *Server) signal(sig syscall.Signal) {
	if !s.running() {
		return
	}
	pid := s.cmd.Process.Pid
	for _, p := range append([]int{pid}, descendants(pid)...) {
		_ = syscall.Kill(p, sig) // one that has just ended is no error
	}
}

// tail is the end of the server's log.
func (s *Server) tail() []byte {
	log, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return []byte(err.Error())
	}
	if i := len(log) - 4000; i > 0 {
		log = log[i:]
	}
	return bytes.TrimSpace(log)
}

// binary finds a program on PATH or in the given places, of several
// versions the last; a missing one skips or fails the test.
func binary(tb testing.TB, name string, places ...string) string {
	tb.Helper()
	for _, place := range places {
		if found, err := filepath.Glob(filepath.Join(place, name)); err == nil && len(found) > 0 {
			return found[len(found)-1]
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("INTEGRATION") == "required" {
			tb.Fatalf("INTEGRATION=required, but there is no %s", name)
		}
		tb.Skipf("no %s on this machine", name)
	}
	return path
}

// tempDir is short (a Unix socket's path is limited to 107 bytes) and, unlike
// testing's, can be opened to a server that runs as another user.
func tempDir(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "sysblocks-") //nolint:usetesting // see above
	if err != nil {
		tb.Fatal(err)
	}
	return dir
}

// freePort finds a port below the range from which the system takes its own,
// so that an outgoing connection does not grab it; with bus, the port 10000
// above, where a Redis cluster talks, is free as well.
func freePort(bus bool) (int, error) {
	for range 200 {
		port := 20000 + rand.IntN(10000)
		if free(port) && (!bus || free(port+10000)) {
			return port, nil
		}
	}
	return 0, errors.New("no free port")
}

func free(port int) bool {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	return l.Close() == nil
}
