package idgen_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sysblocks/sysblocks/idgen"
)

// Children share one store on four worker numbers. Some are stopped past their window and continued, some are killed and
// replaced. Every ID that any of them got is in a file before the next one is asked for; the union has no duplicate.

const childTTL = 400 * time.Millisecond

var childLayout = idgen.Layout{TimeBits: 41, WorkerBits: 2, SeqBits: 3} // four numbers, constant rollover

// TestChild is the child.
func TestChild(t *testing.T) {
	kind, address, ok := strings.Cut(os.Getenv("IDGEN_STORE"), "|")
	if !ok {
		t.Skip("runs as a child only")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	leaser, err := childLeaser(place{kind, address})
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.OpenFile(os.Getenv("IDGEN_OUT"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	for ctx.Err() == nil {
		gen, err := idgen.NewLeased(ctx, leaser, idgen.SnowflakeOptions{Layout: childLayout, TTL: childTTL, MaxAhead: 2 * time.Millisecond})
		if err != nil {
			pause(ctx, 20*time.Millisecond)
			continue
		}
		issue(ctx, gen, out)
		if err := gen.Close(context.WithoutCancel(ctx)); err != nil {
			fmt.Println("close:", err)
		}
	}
}

func childLeaser(p place) (idgen.Leaser, error) {
	if p.kind == "file" {
		return idgen.NewFileLeaser(p.address, 1)
	}
	s, err := open(p)
	if err != nil {
		return nil, err
	}
	return s.leaser("processes")
}

// issue writes each ID to the file. Now and then it returns, so that numbers change hands in the ordinary way too.
func issue(ctx context.Context, gen *idgen.Snowflake, out io.Writer) {
	for range 2000 + rand.IntN(4000) {
		id, err := gen.Next(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			pause(ctx, 5*time.Millisecond)
			continue
		}
		var line [8]byte
		binary.LittleEndian.PutUint64(line[:], uint64(id))
		if _, err := out.Write(line[:]); err != nil {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// family is a set of children and the files they have written.
type family struct {
	t        *testing.T
	places   []place
	folder   string
	files    []string
	children []*exec.Cmd
}

func (f *family) start(i int) {
	f.t.Helper()
	file := filepath.Join(f.folder, fmt.Sprintf("%d-%d", i, len(f.files)))
	child := exec.Command(os.Args[0], "-test.run", "^TestChild$", "-test.v=false") //nolint:noctx // ended by signal
	p := f.places[i%len(f.places)]
	child.Env = slices.Concat(os.Environ(), []string{"IDGEN_STORE=" + p.kind + "|" + p.address, "IDGEN_OUT=" + file})
	if err := child.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.files = append(f.files, file)
	f.children[i] = child
}

func (f *family) signal(i int, sig syscall.Signal) {
	f.t.Helper()
	if err := f.children[i].Process.Signal(sig); err != nil {
		f.t.Fatal(err)
	}
}

func (f *family) collect() (ids []idgen.ID) {
	f.t.Helper()
	for _, name := range f.files {
		file, err := os.Open(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // killed before it began
		}
		if err != nil {
			f.t.Fatal(err)
		}
		r := bufio.NewReader(file)
		for {
			var line [8]byte
			if _, err := io.ReadFull(r, line[:]); err != nil {
				break
			}
			ids = append(ids, idgen.ID(binary.LittleEndian.Uint64(line[:])))
		}
		file.Close()
	}
	return ids
}

func runFamily(t *testing.T, places []place, size int) {
	t.Helper()
	f := &family{t: t, places: places, folder: t.TempDir(), children: make([]*exec.Cmd, size)}
	t.Cleanup(func() {
		for _, c := range f.children {
			if c != nil && c.ProcessState == nil {
				_ = c.Process.Kill()
				_ = c.Wait()
			}
		}
	})
	for i := range f.children {
		f.start(i)
	}
	pause(t.Context(), 2*childTTL)
	for round := range 5 {
		stopped, killed := round%size, (round+1)%size
		f.signal(stopped, syscall.SIGSTOP)
		f.signal(killed, syscall.SIGKILL)
		_ = f.children[killed].Wait()
		f.start(killed)
		pause(t.Context(), 2*childTTL) // the window of the stopped one ends, and its number is taken over
		f.signal(stopped, syscall.SIGCONT)
		pause(t.Context(), childTTL/2)
	}
	for i, c := range f.children {
		f.signal(i, syscall.SIGTERM)
		if err := c.Wait(); err != nil {
			t.Errorf("child %d: %v", i, err)
		}
	}
	ids := f.collect()
	slices.Sort(ids)
	workers := map[uint32]int{}
	for i, id := range ids {
		if i > 0 && id == ids[i-1] {
			t.Fatalf("%d was issued twice", id)
		}
		workers[childLayout.Worker(id)]++
	}
	t.Logf("%d IDs of %d processes, per worker %v", len(ids), len(f.files), workers)
	if len(ids) < 500 {
		t.Errorf("only %d IDs: nothing was proved", len(ids))
	}
}

func TestProcessesThatAreStoppedAndKilledNeverRepeatAnID(t *testing.T) {
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			s := newStore(t, kind)
			runFamily(t, []place{s.place}, 6)
		})
	}
	t.Run("file", func(t *testing.T) { // two processes compete for one file
		runFamily(t, []place{{"file", filepath.Join(t.TempDir(), "worker")}}, 2)
	})
}
