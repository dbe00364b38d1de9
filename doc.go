// Package sysblocks is a library of system-design building blocks: independent
// packages for the pieces that services are made of, each complete, measured
// against its peers, and taught by examples that run.
//
// This package holds no code. Import the block that you need:
//
//   - [github.com/sysblocks/sysblocks/hashring]: which node owns this key?
//     Consistent hashing with virtual nodes, weights, zones, load bounds, and
//     the exact ranges that move when the membership changes.
//   - [github.com/sysblocks/sysblocks/ratelimit]: may this start now, and if not,
//     when? Exact token buckets for one key or millions, for HTTP, and for a fleet
//     on Redis.
//   - [github.com/sysblocks/sysblocks/lru]: one cache type with five policies,
//     expiry, loading that survives stampedes and outages, tags and statistics.
//   - [github.com/sysblocks/sysblocks/bloom]: certainly absent or probably present?
//     Filters of one cache line per key, growing and forgetting ones, in memory, in
//     a file and on Redis.
//   - [github.com/sysblocks/sysblocks/idgen]: identifiers that no other machine
//     gives: snowflakes on leased worker numbers, segments, UUIDs, opaque texts.
//   - [github.com/sysblocks/sysblocks/pagination]: pages of a list that changes
//     while it is read, by the key of a row, over SQL and HTTP.
//   - [github.com/sysblocks/sysblocks/session]: HTTP sessions that lose no update
//     and revive nobody, in memory, in SQL, or sealed in a cookie.
//
// # What all blocks share
//
// Blocks are independent: none imports another, and a service that imports one
// gets that one and at most one or two modules with it. Redis, SQL drivers and
// other clients are never dependencies; an adapter asks for a function that a
// client already has.
//
// Required arguments are positional; the rest is one Options struct whose zero
// value is the right choice for a service. A bad option is an error that names
// the field and its limit, and is ErrInvalid in every package. Nothing panics on
// data. The same verb means the same thing everywhere: Get, Set or Add, Remove,
// Len, Clear, All, Stats; Close only where something must be given back.
//
// Time comes from the monotonic clock and needs no interface for tests: every
// block works inside a [testing/synctest] bubble. No goroutine outlives the call
// that needs it unless the type has a Close method.
//
// # Proof
//
// Each block ships the tests that its promises need: a naive model beside random
// programs, fuzzing, the race detector, known answers, statistics with a stated
// confidence, real servers. Speed is stated as a ratio against named peers,
// measured in turns in one process:
//
//	go run ./benchmarks/cmd/compare -pkg hashring
//
// # Learning
//
// The programs under examples are whole systems in a few hundred lines. Each
// states claims, attacks them, and prints what it counted, beside a control that
// fails:
//
//	go run ./examples/tinyurl
//	go run ./examples/kvstore
package sysblocks
