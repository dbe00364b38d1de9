package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"github.com/sysblocks/sysblocks/examples/kvstore/storage/entry"
)

// ErrBroken reports a log that a failed write has left in an unknown state.
var ErrBroken = errors.New("storage: the log takes no more writes")

// A record of the log is a header and a payload:
//
//	length of the payload, 4 bytes │ checksum of the length, 4 │ checksum of the payload, 4 │ payload
//
// The length has its own checksum, so that a damaged one is not mistaken for a record that the crash cut short.
const header = 12

// MaxRecord bounds what a damaged file can make Open allocate.
const MaxRecord = entry.MaxBytes

// Log is an append-only file. One goroutine at a time uses it.
type Log struct {
	folder Folder
	name   string
	file   *os.File
	end    int64 // where the next record goes
	sync   bool
	torn   int64 // bytes cut off at open
}

// CreateLog makes an empty log, durably: records in a file that a power cut can remove would not be.
func CreateLog(f Folder, name string, sync bool) (*Log, error) {
	file, err := f.Create(name)
	if err != nil {
		return nil, err
	}
	if err := f.Sync(); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Log{folder: f, name: name, file: file, sync: sync}, nil
}

// OpenLog replays the file's records in order. If it is the last log, a torn tail is cut off and it is ready to append. A record that is
// damaged with others behind it was not left by a crash, nor was a torn tail with another log behind it, since a log is on the disk
// before the next one begins: that is entry.ErrCorrupt, and nothing is cut.
func OpenLog(f Folder, name string, sync, last bool, replay func(payload []byte) error) (_ *Log, err error) {
	file, err := os.OpenFile(f.Path(name), os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("storage: open log: %w", err)
	}
	l := &Log{folder: f, name: name, file: file, sync: sync}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("storage: open log: %w", err)
	}
	for l.end < info.Size() {
		payload, err := l.record(info.Size())
		if errors.Is(err, io.ErrUnexpectedEOF) && last {
			l.torn = info.Size() - l.end
			return l, l.truncate()
		}
		if err == nil {
			err = replay(payload)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, entry.ErrCorrupt) {
			return nil, l.damaged()
		}
		if err != nil {
			return nil, err
		}
		l.end += header + int64(len(payload))
	}
	return l, nil
}

// truncate cuts off what stands behind the last record.
func (l *Log) truncate() error {
	return l.folder.do("truncate", l.name, func() error { return l.file.Truncate(l.end) })
}

// record reads the record at the end of what is known. io.ErrUnexpectedEOF means that a crash cut it short.
func (l *Log) record(size int64) ([]byte, error) {
	var head [header]byte
	if size-l.end < header {
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := l.file.ReadAt(head[:], l.end); err != nil {
		return nil, fmt.Errorf("storage: read log: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[0:]))
	if Checksum(head[:4]) != binary.BigEndian.Uint32(head[4:]) || n > MaxRecord {
		if l.zeros(size) { // a power cut may leave a file longer than what was written
			return nil, io.ErrUnexpectedEOF
		}
		return nil, l.damaged()
	}
	if size-l.end-header < n {
		return nil, io.ErrUnexpectedEOF
	}
	payload := make([]byte, n)
	if _, err := l.file.ReadAt(payload, l.end+header); err != nil {
		return nil, fmt.Errorf("storage: read log: %w", err)
	}
	if Checksum(payload) != binary.BigEndian.Uint32(head[8:]) {
		if l.end+header+n == size { // the last one: its pages did not all reach the disk
			return nil, io.ErrUnexpectedEOF
		}
		return nil, l.damaged()
	}
	return payload, nil
}

// zeros reports whether nothing but zeros follows.
func (l *Log) zeros(size int64) bool {
	buffer := make([]byte, 4096)
	for at := l.end; at < size; {
		n, err := l.file.ReadAt(buffer[:min(int64(len(buffer)), size-at)], at)
		if bytes.Count(buffer[:n], []byte{0}) != n || err != nil {
			return false
		}
		at += int64(n)
	}
	return true
}

func (l *Log) damaged() error {
	return fmt.Errorf("%w: log %s at offset %d", entry.ErrCorrupt, l.file.Name(), l.end)
}

// Checksum is what a record carries.
func Checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// Append writes one record. A write that fails half-way is undone, so that the next one does not stand behind garbage; if that is
// not possible either, the log takes no more.
func (l *Log) Append(payload []byte) (err error) {
	if len(payload) > MaxRecord {
		return fmt.Errorf("%w: record of %d bytes, limit %d", entry.ErrInvalid, len(payload), MaxRecord)
	}
	record := make([]byte, header, header+len(payload))
	binary.BigEndian.PutUint32(record[0:], uint32(len(payload)))
	binary.BigEndian.PutUint32(record[4:], Checksum(record[:4]))
	binary.BigEndian.PutUint32(record[8:], Checksum(payload))
	record = append(record, payload...)
	err = l.folder.do("append", l.name, func() error {
		_, err := l.file.WriteAt(record, l.end)
		return err
	})
	if err == nil && l.sync {
		err = l.Flush()
	}
	if err == nil {
		l.end += header + int64(len(payload))
		return nil
	}
	if undo := l.truncate(); undo != nil {
		return fmt.Errorf("%w: %w: %w", ErrBroken, err, undo)
	}
	return err
}

// Flush brings what was appended to the disk.
func (l *Log) Flush() error {
	return l.folder.do("sync", l.name, l.file.Sync)
}

// Len is the length in bytes.
func (l *Log) Len() int64 { return l.end }

// Torn is the number of bytes of an unfinished record that were cut off when the log was opened.
func (l *Log) Torn() int64 { return l.torn }

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }
