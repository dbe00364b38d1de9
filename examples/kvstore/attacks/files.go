package attacks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/exchange"
	"github.com/sysblocks/sysblocks/examples/internal/fakenet"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/files"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/web"
)

// files is claim g.
func (s *System) files() claim.Claim {
	return claim.Claim{
		ID: "g", Text: "files survive a node, byte for byte",
		Run: s.stored(&s.Quorum, true), Holds: func(f claim.Facts) bool {
			return f.Over("files", 0) && f.Is("unreadable", 0) && f.Is("different-bytes", 0) && f.Is("new-chunks", 0) && f.Is("wrong-answers", 0)
		},
		ControlText: "one copy (N=1)",
		Control:     s.stored(alone(), false), Breaks: func(f claim.Facts) bool { return f.Over("unreadable", 0) },
		Show: []string{"files", "bytes", "chunks", "unreadable", "different-bytes", "new-chunks", "exchanges", "wrong-answers"},
	}
}

// stored is the attack: every file of a folder is stored through the HTTP interface, a node dies in the middle and stays dead, every
// file is read back, and everything is stored once more.
func (s *System) stored(q *cluster.Quorum, replay bool) func(context.Context, claim.Env) (claim.Facts, error) {
	return func(ctx context.Context, env claim.Env) (claim.Facts, error) {
		names, err := files.Walk(s.Files)
		if err != nil {
			return nil, err
		}
		if env.Quick {
			names = everyTenth(names)
		}
		if len(names) == 0 {
			return nil, fmt.Errorf("no files in %s", s.Files)
		}
		return s.with(env, *q, func(nodes *local.Cluster) (claim.Facts, error) {
			const base = "http://kvstore"
			client, stop := fakenet.HTTP(web.New(nodes))
			defer stop()
			facts := claim.Facts{}
			if replay {
				wrong := exchange.Replay(ctx, client, base, web.Exchanges())
				if wrong != nil {
					env.Note("g: %v", errors.Join(wrong...))
				}
				facts["exchanges"], facts["wrong-answers"] = float64(len(web.Exchanges())), float64(len(wrong))
			}
			run := &upload{store: files.Store{Base: base, Client: client}, dir: s.Files, names: names, booked: make([]workload.Content, len(names))}
			victim, _ := victims(env, s.Nodes)
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

// upload stores a folder and keeps its own books: what was read from the disk, by name.
type upload struct {
	store  files.Store
	dir    string
	names  []string
	booked []workload.Content

	bytes, chunks, unreadable, different, fresh atomic.Int64
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
func (u *upload) put(ctx context.Context, i int) (m files.Manifest, fresh int, err error) {
	file, err := os.Open(filepath.Join(u.dir, filepath.FromSlash(u.names[i])))
	if err != nil {
		return m, 0, err
	}
	book := workload.NewBook()
	m, fresh, _ = u.store.Put(ctx, u.names[i], io.TeeReader(file, book))
	if _, err := io.Copy(book, file); err != nil { // what a refused put has left unread
		return m, fresh, errors.Join(err, file.Close())
	}
	u.booked[i] = book.Content()
	return m, fresh, errors.Join(file.Close(), ctx.Err())
}

// check reads one file back and compares it with the disk, byte by byte.
func (u *upload) check(ctx context.Context, i int) error {
	file, err := os.Open(filepath.Join(u.dir, filepath.FromSlash(u.names[i])))
	if err != nil {
		return err
	}
	got := workload.NewBook()
	got.Compare(file)
	if err := u.store.Get(ctx, u.names[i], got); err != nil {
		u.unreadable.Add(1)
	} else if got.Content() != u.booked[i] {
		u.different.Add(max(got.Different(), 1)) // also when the file on the disk is no longer the one that was stored
	}
	return errors.Join(file.Close(), ctx.Err())
}

func (u *upload) report(f claim.Facts) {
	f["files"], f["bytes"], f["chunks"] = float64(len(u.names)), float64(u.bytes.Load()), float64(u.chunks.Load())
	f["unreadable"], f["different-bytes"] = float64(u.unreadable.Load()), float64(u.different.Load())
	f["new-chunks"] = float64(u.fresh.Load())
}
