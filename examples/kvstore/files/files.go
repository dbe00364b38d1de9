// Package files is a file system over the key-value store, by its HTTP interface.
//
//	file/NAME   → the manifest: size, and the hashes of the chunks in order
//	chunk/HASH  → the bytes; the name is the content, so a chunk is never changed, and equal chunks are stored once
//
// The chunks are written before the manifest: a reader sees a whole file or none.
package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
)

// ChunkSize is a compromise: a small chunk shares more between files, a large one needs fewer requests.
const ChunkSize = 64 << 10

// Store reads and writes files. It is safe for concurrent use.
type Store struct {
	Base   string // URL of a served cluster
	Client *http.Client
}

// Manifest is what a file consists of.
type Manifest struct {
	Size   int64    `json:"size"`
	Chunks []string `json:"chunks"`
}

// The errors of the package.
var (
	ErrNotFound = errors.New("files: no such file")
	ErrDamaged  = errors.New("files: a chunk is missing or does not have the content that its name says")
)

// Put stores a file and says how many of its chunks were new to the store.
func (s Store) Put(ctx context.Context, name string, r io.Reader) (m Manifest, fresh int, err error) {
	m.Chunks = []string{}
	buffer := make([]byte, ChunkSize)
	for {
		n, err := io.ReadFull(r, buffer)
		if n > 0 {
			sum := sha256.Sum256(buffer[:n])
			hash := hex.EncodeToString(sum[:])
			isNew, err := s.putChunk(ctx, "chunk/"+hash, buffer[:n])
			if err != nil {
				return m, fresh, err
			}
			if isNew {
				fresh++
			}
			m.Size += int64(n)
			m.Chunks = append(m.Chunks, hash)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return m, fresh, err
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		return m, fresh, err
	}
	_, err = s.do(ctx, http.MethodPut, keyPath("file/"+name), text)
	return m, fresh, err
}

func (s Store) putChunk(ctx context.Context, key string, chunk []byte) (isNew bool, err error) {
	_, err = s.do(ctx, http.MethodHead, keyPath(key), nil)
	if !errors.Is(err, ErrNotFound) {
		return false, err
	}
	_, err = s.do(ctx, http.MethodPut, keyPath(key), chunk)
	return true, err
}

// Get writes a file's bytes, each chunk checked against its name.
func (s Store) Get(ctx context.Context, name string, w io.Writer) error {
	text, err := s.do(ctx, http.MethodGet, keyPath("file/"+name), nil)
	if err != nil {
		return err
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("manifest of %s: %w", name, err)
	}
	for _, hash := range m.Chunks {
		chunk, err := s.do(ctx, http.MethodGet, keyPath("chunk/"+hash), nil)
		if sum := sha256.Sum256(chunk); err == nil && hex.EncodeToString(sum[:]) != hash || errors.Is(err, ErrNotFound) {
			err = ErrDamaged
		}
		if err == nil {
			_, err = w.Write(chunk)
		}
		if err != nil {
			return fmt.Errorf("%s, chunk %.8s: %w", name, hash, err)
		}
	}
	return nil
}

// List calls visit with the names of all files, in order.
func (s Store) List(ctx context.Context, visit func(name string) error) error {
	after := ""
	for {
		query := url.Values{"prefix": {"file/"}, "after": {after}}
		text, err := s.do(ctx, http.MethodGet, "/v1/keys?"+query.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Keys []string `json:"keys"`
			Next string   `json:"next"`
		}
		if err := json.Unmarshal(text, &page); err != nil {
			return err
		}
		for _, key := range page.Keys {
			if err := visit(strings.TrimPrefix(key, "file/")); err != nil {
				return err
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func keyPath(key string) string {
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return "/v1/kv/" + strings.Join(parts, "/")
}

func (s Store) do(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(s.Base, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	response, err := s.Client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return nil, err
	case response.StatusCode == http.StatusNotFound:
		return nil, ErrNotFound
	case response.StatusCode >= http.StatusBadRequest:
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(text))
	}
	return text, nil
}

// Walk lists the regular files under a folder as slash-separated names, in order, without version control's own.
func Walk(dir string) (names []string, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git":
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		case entry.Type().IsRegular():
			name, err := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(name))
			return err
		}
		return nil
	})
	return names, err
}
