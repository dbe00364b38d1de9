package session

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc64"
	"io"
	"io/fs"
	"os"
	"time"
)

// A record's file, big-endian:
//
//	format 1 byte ‖ version 8 ‖ created 8 ‖ deadline 8 ‖ length of the user ID 1 ‖ user ID ‖ payload ‖ CRC-64 8
//
// Times are milliseconds since 1970. The checksum covers the ID too: a file under another name is damaged. The
// expiry is the mtime, so that Touch changes no content and Sweep opens no live file.
const (
	fileFormat = 1
	fileHeader = 1 + 3*8 + 1
	fileSum    = 8
	maxFile    = fileHeader + maxLabel + maxFilePayload + fileSum
)

func bucketName(b byte) string { return hex.EncodeToString([]byte{b}) }

func recordName(id ID) string { return hex.EncodeToString(id[:]) }

// parseRecordName is the inverse of recordName; false for any other name.
func parseRecordName(name string) (id ID, ok bool) {
	if len(name) != 2*len(id) {
		return id, false
	}
	n, err := hex.Decode(id[:], []byte(name))
	return id, err == nil && n == len(id) && recordName(id) == name
}

func encodeFile(rec Record) []byte {
	b := make([]byte, 0, fileHeader+len(rec.UserID)+len(rec.Payload)+fileSum)
	b = append(b, fileFormat)
	b = binary.BigEndian.AppendUint64(b, rec.Version+1)
	b = binary.BigEndian.AppendUint64(b, uint64(rec.CreatedAt.UnixMilli()))
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Deadline.UnixMilli()))
	b = append(b, byte(len(rec.UserID)))
	b = append(b, rec.UserID...)
	b = append(b, rec.Payload...)
	return binary.BigEndian.AppendUint64(b, fileChecksum(rec.ID, b))
}

func fileChecksum(id ID, b []byte) uint64 {
	table := crc64.MakeTable(crc64.ECMA) // package crc64 has made it once
	return crc64.Update(crc64.Checksum(id[:], table), table, b)
}

// decodeFile keeps data. false if it is damaged.
func decodeFile(id ID, data []byte) (rec Record, ok bool) {
	if len(data) < fileHeader+fileSum || data[0] != fileFormat {
		return rec, false
	}
	body, sum := data[:len(data)-fileSum], binary.BigEndian.Uint64(data[len(data)-fileSum:])
	user := int(body[fileHeader-1])
	if fileChecksum(id, body) != sum || fileHeader+user > len(body) {
		return rec, false
	}
	millis := func(at int) time.Time { return time.UnixMilli(int64(binary.BigEndian.Uint64(body[at:]))) }
	return Record{
		ID: id, Version: binary.BigEndian.Uint64(body[1:]), CreatedAt: millis(9), Deadline: millis(17),
		UserID: string(body[fileHeader : fileHeader+user]), Payload: body[fileHeader+user : len(body) : len(body)],
	}, true
}

// readRecord returns the record, expired or not; ErrNotFound if there is none or it is damaged. The content of a
// file never changes once it has its name, and the one descriptor sees one file: no lock is needed.
func readRecord(root *os.Root, id ID) (Record, error) {
	f, err := root.Open(recordName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return Record{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return Record{}, ErrNotFound
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // cut off from outside
			return Record{}, ErrNotFound
		}
		return Record{}, err
	}
	rec, ok := decodeFile(id, data)
	if !ok {
		return Record{}, ErrNotFound
	}
	rec.ExpiresAt = time.UnixMilli(info.ModTime().UnixMilli())
	return rec, nil
}
