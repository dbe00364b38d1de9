package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/disk"
	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

// manifest says which files count. It is one line, a checksum and JSON, that is replaced as a whole: the moment of its renaming is
// the moment at which a flush or a merge has happened.
type manifest struct {
	Runs   []uint64    `json:"runs"`   // newest first
	Log    uint64      `json:"log"`    // the first log that is not in a run
	Newest entry.Stamp `json:"newest"` // the highest stamp ever; merging may drop the tombstone that had it
}

func (m manifest) save(f disk.Folder) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return f.Replace(disk.ManifestName, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%08x %s\n", disk.Checksum(b), b)
		return err
	})
}

// load reads the manifest; fresh means that this folder has never been a store. Without a manifest nobody knows which files
// count, so the presence of any is refused. An empty first log may be there: it is made before the manifest.
func load(f disk.Folder, names []string) (m manifest, fresh bool, err error) {
	b, err := os.ReadFile(f.Path(disk.ManifestName))
	if errors.Is(err, fs.ErrNotExist) {
		for _, name := range names {
			info, err := os.Stat(f.Path(name))
			if err != nil {
				return m, false, fmt.Errorf("storage: %w", err)
			}
			if strings.HasSuffix(name, disk.RunSuffix) || strings.HasSuffix(name, disk.LogSuffix) && info.Size() > 0 {
				return m, false, fmt.Errorf("%w: %s has %s and no manifest", entry.ErrCorrupt, f.Dir, name)
			}
		}
		return manifest{Log: 1}, true, nil
	}
	if err != nil {
		return m, false, fmt.Errorf("storage: read manifest: %w", err)
	}
	sum, text, ok := strings.Cut(strings.TrimSuffix(string(b), "\n"), " ")
	if !ok || sum != fmt.Sprintf("%08x", disk.Checksum([]byte(text))) || json.Unmarshal([]byte(text), &m) != nil || m.Log == 0 {
		return m, false, fmt.Errorf("%w: %s at offset 0", entry.ErrCorrupt, f.Path(disk.ManifestName))
	}
	return m, false, nil
}

// sort says what the files of the folder are: logs that count, in order, and the debris of a crash, which the manifest does not count.
func (m manifest) sort(f disk.Folder, names []string) (logs []uint64, debris []string, err error) {
	for _, name := range names {
		if n, ok := disk.Numbered(name, disk.LogSuffix); ok && n >= m.Log {
			logs = append(logs, n)
			continue
		}
		n, isRun := disk.Numbered(name, disk.RunSuffix)
		unfinished := name == disk.ManifestName+disk.TmpSuffix || strings.HasSuffix(name, disk.RunSuffix+disk.TmpSuffix)
		if unfinished || strings.HasSuffix(name, disk.LogSuffix) || isRun && !slices.Contains(m.Runs, n) {
			debris = append(debris, name)
		}
	}
	slices.Sort(logs)
	if len(logs) == 0 || logs[0] != m.Log {
		return nil, nil, fmt.Errorf("%w: %s is missing", entry.ErrCorrupt, f.Path(disk.LogName(m.Log)))
	}
	return logs, debris, nil
}
