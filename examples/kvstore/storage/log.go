package storage

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

// A record of the log is a header and a payload:
//
//	length of the payload, 4 bytes │ checksum of the length, 4 │ checksum of the payload, 4 │ payload
//
// The length has its own checksum, so that a damaged one is not mistaken for a record that the crash cut short.
const header = 12

// maxRecord bounds what a damaged file can make Open allocate.
const maxRecord = 64 << 20

// commitLog is an append-only file.
type commitLog struct {
	file *os.File
	end  int64 // where the next record goes
	sync bool
	torn int64 // bytes cut off at open
}

// openLog replays the file's records in order, cuts off a torn tail, and is ready to append. A record that is damaged with others
// behind it was not left by a crash: that is ErrCorrupt, and nothing is cut.
func openLog(path string, sync bool, replay func(payload []byte, at int64) error) (_ *commitLog, err error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("storage: open log: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("storage: open log: %w", err)
	}
	l := &commitLog{file: file, sync: sync}
	for l.end < info.Size() {
		payload, err := l.record(info.Size())
		if errors.Is(err, io.ErrUnexpectedEOF) {
			l.torn = info.Size() - l.end
			break
		}
		if err != nil {
			return nil, err
		}
		if err := replay(payload, l.end+header); err != nil {
			return nil, err
		}
		l.end += header + int64(len(payload))
	}
	if err := file.Truncate(l.end); err != nil {
		return nil, fmt.Errorf("storage: cut torn tail: %w", err)
	}
	return l, nil
}

// record reads the record at the end of what is known. io.ErrUnexpectedEOF means that a crash cut it short.
func (l *commitLog) record(size int64) ([]byte, error) {
	var head [header]byte
	if size-l.end < header {
		return nil, io.ErrUnexpectedEOF
	}
	if _, err := l.file.ReadAt(head[:], l.end); err != nil {
		return nil, fmt.Errorf("storage: read log: %w", err)
	}
	n := int64(binary.BigEndian.Uint32(head[0:]))
	if checksum(head[:4]) != binary.BigEndian.Uint32(head[4:]) || n > maxRecord {
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
	if checksum(payload) != binary.BigEndian.Uint32(head[8:]) {
		if l.end+header+n == size { // the last one: its pages did not all reach the disk
			return nil, io.ErrUnexpectedEOF
		}
		return nil, l.damaged()
	}
	return payload, nil
}

// zeros reports whether nothing but zeros follows.
func (l *commitLog) zeros(size int64) bool {
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

func (l *commitLog) damaged() error {
	return fmt.Errorf("%w: log %s at offset %d", ErrCorrupt, l.file.Name(), l.end)
}

func checksum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }

// append writes one record and returns where its payload begins. A write that fails half-way is undone, so that the next one does
// not stand behind garbage.
func (l *commitLog) append(payload []byte) (at int64, err error) {
	if len(payload) > maxRecord {
		return 0, fmt.Errorf("storage: record of %d bytes, limit %d", len(payload), maxRecord)
	}
	record := make([]byte, header, header+len(payload))
	binary.BigEndian.PutUint32(record[0:], uint32(len(payload)))
	binary.BigEndian.PutUint32(record[4:], checksum(record[:4]))
	binary.BigEndian.PutUint32(record[8:], checksum(payload))
	if _, err = l.file.WriteAt(append(record, payload...), l.end); err == nil && l.sync {
		err = l.file.Sync()
	}
	if err != nil {
		return 0, errors.Join(fmt.Errorf("storage: append: %w", err), l.file.Truncate(l.end))
	}
	at = l.end + header
	l.end += header + int64(len(payload))
	return at, nil
}

// read returns n bytes from the given place.
func (l *commitLog) read(at int64, n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := l.file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("storage: read log: %w", err)
	}
	return b, nil
}

func (l *commitLog) close() error { return l.file.Close() }
