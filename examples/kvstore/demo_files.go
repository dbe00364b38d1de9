package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
)

// stored is claim g: every file of a folder is stored through the HTTP interface, a node dies in the middle and stays dead, every
// file is read back, and everything is stored once more.
func (c *config) stored(q *cluster.Quorum, replay bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		names, err := walk(c.files)
		if err != nil {
			return nil, err
		}
		if env.Quick {
			names = everyTenth(names)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("no files in %s", c.files)
		}
		return c.with(env, *q, func(nodes *local.Cluster) (claim.Facts, error) {
			const base = "http://kvstore"
			client, stop, err := httpOver(fakenet.New(env.Seed), newWeb(nodes))
			if err != nil {
				return nil, err
			}
			defer stop()
			facts := claim.Facts{}
			if replay {
				wrong := exchange.Replay(ctx, client, base, exchanges())
				if wrong != nil {
					env.Note("g: %v", errors.Join(wrong...))
				}
				facts["exchanges"], facts["wrong-answers"] = float64(len(exchanges())), float64(len(wrong))
			}
			run := &upload{files: files{base: base, client: client}, dir: c.files, names: names, sums: make([]ledgerLine, len(names))}
			victim, _ := victims(env, c.nodes)
			if err := run.attack(ctx, env, func() error { return nodes.Kill(victim) }); err != nil {
				return nil, err
			}
			run.report(facts)
			return facts, nil
		})
	}
}

func everyTenth(names []string) (some []string) {
	for i := 0; i < len(names); i += 10 {
		some = append(some, names[i])
	}
	return some
}

// httpOver serves a handler on a fake network and returns a client that reaches it.
func httpOver(network *fakenet.Network, handler http.Handler) (*http.Client, func(), error) {
	listener, err := network.Listen("kvstore")
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = server.Serve(listener) // ends when the network closes
	}()
	transport := &http.Transport{
		MaxIdleConnsPerHost: workers,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return network.Dial(ctx, "client", "kvstore")
		},
	}
	stop := func() {
		transport.CloseIdleConnections()
		network.Close()
		_ = server.Close() // its listener is closed already
		<-ended
	}
	return &http.Client{Transport: transport}, stop, nil
}

// upload stores a folder and keeps its own books: what was read from the disk, by name.
type upload struct {
	files files
	dir   string
	names []string
	sums  []ledgerLine

	bytes, chunks, unreadable, different, fresh atomic.Int64
}

type ledgerLine struct {
	size int64
	sum  [sha256.Size]byte
}

func (u *upload) attack(ctx context.Context, env claim.Env, kill func() error) error {
	each := func(what string, op func(ctx context.Context, i int) error) error {
		return workload.Each(ctx, workers, len(u.names), func(ctx context.Context, _, i int) error {
			env.Note("g: %s %d of %d files", what, i, len(u.names))
			return op(ctx, i)
		})
	}
	err := each("store", func(ctx context.Context, i int) error {
		if i == len(u.names)/2 {
			if err := kill(); err != nil {
				return err
			}
		}
		m, _, err := u.put(ctx, i)
		u.chunks.Add(int64(len(m.Chunks)))
		u.bytes.Add(m.Size)
		return err
	})
	if err == nil {
		err = each("read", u.check)
	}
	if err == nil {
		err = each("store again", func(ctx context.Context, i int) error {
			_, fresh, err := u.put(ctx, i)
			u.fresh.Add(int64(fresh))
			return err
		})
	}
	return err
}

// put stores one file and books it. That the store refuses is not an error here: it shows when the file is read.
func (u *upload) put(ctx context.Context, i int) (m manifest, fresh int, err error) {
	file, err := os.Open(filepath.Join(u.dir, filepath.FromSlash(u.names[i])))
	if err != nil {
		return m, 0, err
	}
	sum := sha256.New()
	counted := &counter{r: io.TeeReader(file, sum)}
	m, fresh, _ = u.files.put(ctx, u.names[i], counted)
	if _, err := io.Copy(io.Discard, counted); err != nil { // what a refused put has left unread
		return m, fresh, errors.Join(err, file.Close())
	}
	u.sums[i] = ledgerLine{size: counted.n, sum: [sha256.Size]byte(sum.Sum(nil))}
	return m, fresh, errors.Join(file.Close(), ctx.Err())
}

// check reads one file back and compares it with the disk, byte by byte.
func (u *upload) check(ctx context.Context, i int) error {
	file, err := os.Open(filepath.Join(u.dir, filepath.FromSlash(u.names[i])))
	if err != nil {
		return err
	}
	got := &comparer{original: file, sum: sha256.New()}
	if err := u.files.get(ctx, u.names[i], got); err != nil {
		u.unreadable.Add(1)
	} else if want := u.sums[i]; got.n != want.size || [sha256.Size]byte(got.sum.Sum(nil)) != want.sum {
		u.different.Add(max(got.different, 1)) // at least one, also when the file on the disk is not the one that was stored
	}
	return errors.Join(file.Close(), ctx.Err())
}

func (u *upload) report(f claim.Facts) {
	f["files"], f["bytes"], f["chunks"] = float64(len(u.names)), float64(u.bytes.Load()), float64(u.chunks.Load())
	f["unreadable"], f["different-bytes"] = float64(u.unreadable.Load()), float64(u.different.Load())
	f["new-chunks"] = float64(u.fresh.Load())
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// comparer is written a file and compares it with the original.
type comparer struct {
	original     io.Reader
	sum          hash.Hash
	n, different int64
}

func (c *comparer) Write(p []byte) (int, error) {
	want := make([]byte, len(p))
	n, err := io.ReadFull(c.original, want)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	for i := range p {
		if i >= n || p[i] != want[i] {
			c.different++
		}
	}
	c.n += int64(len(p))
	return c.sum.Write(p)
}
