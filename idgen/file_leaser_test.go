package idgen

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func fileLeaser(t *testing.T, path string) *FileLeaser {
	t.Helper()
	l, err := NewFileLeaser(path, 7)
	require.NoError(t, err)
	return l
}

func acquire(t *testing.T, l Leaser) Grant {
	t.Helper()
	g, err := l.Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
	require.NoError(t, err)
	return g
}

func TestADamagedMarkIsNeverAFreshStart(t *testing.T) {
	path := t.TempDir() + "/worker"
	l := fileLeaser(t, path)
	g := acquire(t, l)
	require.NoError(t, l.Release(t.Context(), g, g.Until))
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for cut := range len(whole) {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		_, err := fileLeaser(t, path).Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
		require.ErrorIs(t, err, ErrSyntax, "cut at %d", cut)
	}
	for i := range whole { // any byte changed
		bad := append([]byte(nil), whole...)
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_, err := fileLeaser(t, path).Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
		require.ErrorIs(t, err, ErrSyntax, "byte %d", i)
	}
	require.NoError(t, os.WriteFile(path, append(whole, '\n'), 0o600))
	_, err = fileLeaser(t, path).Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, ErrSyntax)

	require.NoError(t, os.WriteFile(path, whole, 0o600))
	other, err := NewFileLeaser(path, 8)
	require.NoError(t, err)
	_, err = other.Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, ErrSyntax, "the mark of another worker")
}

func TestACrashAtAnyStepOfTheWriteKeepsTheMark(t *testing.T) {
	path := t.TempDir() + "/worker"
	l := fileLeaser(t, path)
	g := acquire(t, l)
	require.NoError(t, l.Release(t.Context(), g, g.Until))
	next := l.text(fileMark{Token: 99, Until: g.Until.Add(time.Hour).UnixMicro()})
	for cut := range len(next) + 1 { // the temporary file is there, the rename is not
		require.NoError(t, os.WriteFile(path+".tmp", []byte(next[:cut]), 0o600))
		after := fileLeaser(t, path)
		got := acquire(t, after)
		require.Equal(t, g.Token+1, got.Token)
		require.False(t, got.From.Before(g.Until))
		require.NoError(t, after.Release(t.Context(), got, got.From))
		g = got
		g.Until = got.From
	}
	// A folder that cannot be written: an error before any window is used.
	gone := fileLeaser(t, t.TempDir()+"/no/such/folder/worker")
	_, err := gone.Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestOnlyOneHolderPerFile(t *testing.T) {
	path := t.TempDir() + "/worker"
	a, b := fileLeaser(t, path), fileLeaser(t, path)
	g := acquire(t, a)
	for _, l := range []Leaser{a, b} {
		_, err := l.Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
		require.ErrorIs(t, err, ErrNoWorker)
	}
	_, err := b.Extend(t.Context(), g, g.Until.Add(time.Second))
	require.ErrorIs(t, err, ErrLeaseLost)
	require.ErrorIs(t, b.Release(t.Context(), g, g.Until), ErrLeaseLost)
	longer, err := a.Extend(t.Context(), g, g.Until.Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, g.Until.Add(time.Second), longer.Until)
	shorter, err := a.Extend(t.Context(), g, g.Until)
	require.NoError(t, err)
	require.Equal(t, longer.Until, shorter.Until, "never shortened")
	_, err = a.Extend(t.Context(), g, time.Now().Add(25*time.Hour))
	require.ErrorIs(t, err, ErrInvalid)
	require.NoError(t, a.Release(t.Context(), longer, longer.Until))
	require.ErrorIs(t, a.Release(t.Context(), longer, longer.Until), ErrLeaseLost)
	g = acquire(t, b)
	require.False(t, g.From.Before(longer.Until))
	require.NoError(t, b.Release(t.Context(), g, g.Until))

	_, err = a.Acquire(t.Context(), 7, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, ErrInvalid, "worker 7 is not below 7")
	_, err = a.Acquire(t.Context(), 16, time.Now(), time.Now().Add(25*time.Hour))
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewFileLeaser("", 1)
	require.ErrorIs(t, err, ErrInvalid)
	_, err = NewFileLeaser("x", 1<<31)
	require.ErrorIs(t, err, ErrInvalid)
}

// The child holds the lock and dies by SIGKILL; the parent succeeds it at once and starts after its window.
func TestAKilledProcessIsSucceeded(t *testing.T) {
	if path := os.Getenv("IDGEN_HOLD"); path != "" {
		g := acquire(t, fileLeaser(t, path))
		fmt.Println(g.Until.UnixMicro())
		<-t.Context().Done()
		return
	}
	path := t.TempDir() + "/worker"
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestAKilledProcessIsSucceeded$")
	child.Env = append(os.Environ(), "IDGEN_HOLD="+path)
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var until int64
	_, err = fmt.Sscan(line, &until)
	require.NoError(t, err)

	l := fileLeaser(t, path)
	_, err = l.Acquire(t.Context(), 16, time.Now(), time.Now().Add(time.Second))
	require.ErrorIs(t, err, ErrNoWorker)
	require.NoError(t, child.Process.Kill())
	_ = child.Wait()
	g := acquire(t, l)
	require.False(t, g.From.Before(time.UnixMicro(until)))
	require.NoError(t, l.Release(t.Context(), g, g.Until))
}
