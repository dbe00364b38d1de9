// Package session keeps the state of HTTP sessions, on the server or sealed in a cookie, behind one typed API.
//
//	store, err := session.NewMemoryStore(session.MemoryOptions{})
//	sessions, err := session.New[Data](store, session.Options{})
//	http.ListenAndServe(":8080", sessions.Handler(mux))
//	// in a handler:
//	s, err := sessions.Get(r.Context())
//	err = s.Update(func(d *Data) error { d.Cart = append(d.Cart, sku); return nil })
//
// # How it works
//
// HTTP forgets its client after each answer. A session is what the server remembers, and a token in a cookie is how
// it recognises whom it belongs to:
//
//	browser                          Handler                              store
//	   │  GET /cart                     │                                   │
//	   │  Cookie: ID‖secret ───────────▶│ handler calls Get ── Load(ID) ───▶│ id  user  version  expires  payload
//	   │                                │◀── row; SHA-256(secret) = hash? ──│
//	   │                                │ handler calls Update: fn(copy)    │
//	   │                                │ handler writes its first byte     │
//	   │                                │ ───── Save(row, version 7) ──────▶│ version is 7: store as 8
//	   │◀── 200, no Set-Cookie ─────────│                                   │ version is 8: conflict
//	   │                                │      on conflict: load, fn again, save again
//
// The ID finds the row and is public; the secret proves that the bearer may use it, and only its hash is stored.
// Login and Renew replace the secret in the same row, so an ID in a log or a list of devices stays valid. They also
// raise a generation number: a request that was loaded before them can no longer save, and no slow request writes
// into the session of somebody who has logged in since, or brings back one that has logged out.
//
// Nothing is loaded, stored or sent before somebody asks: a request whose handler never calls Get costs no I/O, one
// that only reads costs one load. The idle limit is kept by Touch, which moves the expiry and nothing else, at most
// once per tenth of the limit and at most once a minute.
//
// Identity stands in an envelope in front of the data. UserID decodes nothing, and data of a type that has changed
// since becomes the zero value without logging anybody out.
//
// # Choosing
//
// Server-side or client-side:
//
//	                      New                            NewClientSide
//	a request costs       one load                       one decryption
//	size                  64 KiB (MaxBytes)              about 2 950 bytes of encoded data
//	parallel updates      all kept                       the last response wins
//	logout, revocation    at once, everywhere            this browser only; Check can refuse a user
//	list of devices       yes                            no
//	needs                 a store                        32 bytes of key on each server
//
// A cookie holds 4 096 octets with its name. Base64 costs a third of the rest: (4096 - 19) × 3/4 = 3 057 bytes sealed,
// less 44 for the seal and about 75 for identity and times: 2 940 bytes of JSON. (Encoding twice, as many packages do,
// leaves 2 255.) Such a cookie travels with every request, pictures included; 64 characters of token do not hurt.
//
// Where the rows live:
//
//	MemoryStore         one process, development, or sticky by necessity; gone with the process; fastest
//	FileStore           one machine, any number of processes, crash-safe; no server
//	sqlsession          PostgreSQL, MySQL, MariaDB, SQLite: beside the users' table, survives restarts
//	redissession        many short sessions, also on a cluster; gone with its memory unless it persists
//	your own            four methods; package sessiontest says whether they are right
//
// and what stands around them:
//
//	NewCachedStore      reads without a round trip for TTL (2 s), which bounds the lag of a revocation
//	NewShardedStore     more than one database holds: by ID; records never move, so adding a store logs nobody out
//	NewReplicatedStore  reads from replicas; the token carries a version, so that a browser reads its own writes
//	NewEncryptedStore   the database sees no data
//
// Compose from outside in: Encrypted(Cached(Sharded(Replicated(database)))). Around NewReplicatedStore(db, nil) the
// caches of several processes let a browser read what it has just written through another.
//
// What a store needs from a database is get and conditional put by key:
//
//	            Memcached   DynamoDB                        Cassandra             etcd
//	Load        gets        GetItem, consistent             SELECT, serial        Get
//	Save        add / cas   attribute_not_exists / version  IF NOT EXISTS / IF    Txn on ModRevision
//	Touch       touch       update of the TTL, conditional  UPDATE … IF           lease
//	Remove      delete      DeleteItem                      DELETE                Delete
//
// Timeouts: the session of an idle browser lives IdleTimeout, so a visitor who comes n times an hour keeps about
// n × IdleTimeout/1h rows. With 10 000 visitors an hour and the default of 30 min, that is 5 000 rows. MemoryStore
// needs about 150 bytes for each beside payload and user ID, so its default of 100 000 takes some 36 MB at 200 bytes.
//
// Secrets: Login and Renew replace them, which is what matters. Rotation bounds how long a stolen one works beside that:
// Every: 1 h with 100 requests an hour makes one save in a hundred requests. The secret before stays good for Grace,
// because the requests of a page are under way together; after it, EventReused says that a copy exists or a response
// was lost. RevokeOnReuse ends the session then, at the price of logging out users of bad networks.
//
// Update, not assignment: n = n+1 belongs into the function, which may run again on newer data. A value read outside
// and written inside is a lost update that no store can see.
//
// # Guarantees
//
//  1. An acknowledged update is in the session or the session has ended: saves are conditional on the version, and
//     what was second is repeated on the newer data, in any number of processes.
//  2. Neither Save nor Touch brings a session back; Logout, Revoke and RevokeUser are final.
//  3. A request in flight at a Login or Renew cannot save into the session afterwards; it gets ErrRevoked.
//  4. The commit happens before the first byte of the response. If it fails, the client gets an error instead of the
//     page. 1xx responses are not the response. A client that has gone does not undo its update.
//  5. A store that is down costs no browser its cookie; Get returns an anonymous, read-only session and the error.
//  6. A session ends at most IdleTimeout after the last request that called Get (a commit counts as a use), at the
//     earliest one touch interval sooner, and never after its deadline. Times are wall-clock milliseconds; clocks of
//     a fleet that differ move an end by at most the difference. All of it works in a testing/synctest bubble.
//  7. The writer offers Flusher, Hijacker, Pusher and io.ReaderFrom exactly if the wrapped one does.
//  8. Of several requests that are due to rotate a secret together, one does, and the updates of all are kept. Of several
//     logins beyond MaxPerUser, the newest remain when the last has returned, by time and then by ID.
//  9. All methods are safe for concurrent use. No goroutine is started. Functions of the caller run with no lock held.
//  10. No text, event or log value of this package holds a token, a secret, a hash or a key.
//
// # Costs
//
// Allocations of one request, as its tests hold them: 2 if Get is not called, 4 to read the user, with MemoryStore.
// An update decodes and encodes the data once and saves in one store call. A conflict costs one load and one save
// more; after its first conflict a commit takes turns with the others of this process.
//
// MemoryStore loads without a lock, in a few dozen nanoseconds. A Save locks one of 256 shards. Sweep locks one shard
// at a time, for 32 records at most, and turns to the next.
//
// # Limits
//
//   - Whoever steals a cookie is logged in until it ends. Keep pages free of script injection, and use Info().AuthTime
//     to ask for the password again before what hurts.
//   - Made-up tokens cost one load each, unless Options.Keys is set. A request can make the store load four times.
//   - Anonymous sessions are made by anybody who can make a handler call Update. MemoryStore evicts those first and
//     never a logged-in one; in a database they stay until they expire.
//   - Two first requests in parallel without a cookie make two sessions; the browser keeps one.
//   - With Rotation, a browser that misses the one response with its new secret is logged out when the grace ends.
//   - MaxPerUser lists a user's sessions at each login. If the store fails then, the login stands and the next one ends
//     what is too much.
//   - A Save whose reply is lost may have happened. It is reported and not repeated.
//   - After the header, Update works for a session that is stored; what needs a new cookie returns ErrCommitted. A
//     handler that hijacks before it writes a header must send the Set-Cookie line of w.Header() itself.
//   - Client side: no list, no revocation, the last of two parallel responses wins, and a stolen copy lives until its
//     deadline unless Check refuses it.
//   - No chunked cookies, no locks held across a request, no sticky sessions.
//
// # References
//
//   - OWASP, Session Management Cheat Sheet: length of tokens, renewal at login, both time-outs.
//   - NIST SP 800-63B, section 7: session secrets and re-authentication.
//   - RFC 6265bis (draft-ietf-httpbis-rfc6265bis): prefixes, 400 days, 4 096 octets.
//   - C2SP, XAES-256-GCM: the cipher of Keyring, whose random nonces need no count of messages.
//   - Fetch Metadata Request Headers (W3C), and net/http.CrossOriginProtection, which uses them.
package session
