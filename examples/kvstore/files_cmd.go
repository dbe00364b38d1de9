package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/kvstore/files"
)

const filesUsage = `want
  kvstore files put [-at URL] NAME [PATH]   store a file, or every file of a folder as NAME/…; PATH is NAME by default, - is the input
  kvstore files get [-at URL] NAME [PATH]   write a file to PATH, or to the output
  kvstore files ls  [-at URL] [NAME]        list the files whose names begin with NAME`

// filesCommand is "kvstore files …", which talks to a cluster that -serve runs.
func filesCommand(ctx context.Context, c claim.Command) error {
	wrong := fmt.Errorf("%w: %s", claim.ErrUsage, filesUsage)
	if len(c.Args) == 0 {
		return wrong
	}
	set := flag.NewFlagSet("files", flag.ContinueOnError)
	set.SetOutput(c.Stderr)
	at := set.String("at", "http://127.0.0.1:8080", "`URL` of a served cluster")
	if err := set.Parse(c.Args[1:]); err != nil {
		return fmt.Errorf("%w: %w", claim.ErrUsage, err)
	}
	f := files.Store{Base: *at, Client: http.DefaultClient}
	name, local := set.Arg(0), set.Arg(1)
	verb := c.Args[0]
	switch {
	case verb == "ls" && set.NArg() <= 1:
		return f.List(ctx, func(file string) error {
			if !strings.HasPrefix(file, name) {
				return nil
			}
			_, err := fmt.Fprintln(c.Stdout, file)
			return err
		})
	case set.NArg() < 1 || set.NArg() > 2 || name == "":
		return wrong
	case verb == "put":
		return putPath(ctx, f, c, name, local)
	case verb == "get":
		return getPath(ctx, f, c, name, local)
	}
	return wrong
}

// putPath stores the input, a file, or a folder.
func putPath(ctx context.Context, f files.Store, c claim.Command, name, local string) error {
	if local == "" {
		local = name
	}
	if local == "-" {
		return putOne(ctx, f, c, name, c.Stdin)
	}
	info, err := os.Stat(local)
	if err != nil {
		return err
	}
	parts := []string{""}
	if info.IsDir() {
		if parts, err = files.Walk(local); err != nil {
			return err
		}
	}
	for _, part := range parts {
		file, err := os.Open(filepath.Join(local, filepath.FromSlash(part)))
		if err != nil {
			return err
		}
		if err := errors.Join(putOne(ctx, f, c, path.Join(name, part), file), file.Close()); err != nil {
			return err
		}
	}
	return nil
}

func putOne(ctx context.Context, f files.Store, c claim.Command, name string, r io.Reader) error {
	m, fresh, err := f.Put(ctx, name, r)
	if err != nil {
		return fmt.Errorf("put %s: %w", name, err)
	}
	_, err = fmt.Fprintf(c.Stdout, "%s: %d bytes, %d chunks, %d of them new\n", name, m.Size, len(m.Chunks), fresh)
	return err
}

// getPath writes beside the target first, so that a failed get leaves no half file under its name.
func getPath(ctx context.Context, f files.Store, c claim.Command, name, local string) error {
	if local == "" || local == "-" {
		return f.Get(ctx, name, c.Stdout)
	}
	file, err := os.CreateTemp(filepath.Dir(local), ".get-*")
	if err != nil {
		return err
	}
	err = errors.Join(f.Get(ctx, name, file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), local)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("get %s: %w", name, err), os.Remove(file.Name()))
	}
	return nil
}

// repository is the root of this repository if the program runs inside it, else the present folder.
func repository() string {
	here, err := os.Getwd()
	if err != nil {
		return "."
	}
	for dir := here; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			return here
		}
	}
}
