// Package pagination serves long lists page by page, each row once, in any order,
// at any depth. It keeps the place with the key of a row instead of a number of
// rows to skip (keyset, or seek, pagination).
//
//	order, err := pagination.NewOrder("-created_at",
//		pagination.ID("id", func(p *Post) int64 { return p.ID }),
//		pagination.By("created_at", func(p *Post) time.Time { return p.CreatedAt }))
//	pager, err := pagination.New(pagination.NewSlice(posts), order, pagination.Options[Post]{})
//	page, err := pager.Page(ctx, pagination.Request{Token: token})
//
// Most services meet it through two sub-packages: sqlpage reads pages from
// database/sql, httppage serves them over net/http. This package knows neither;
// any store becomes a [Source] with one method.
//
// # How it works
//
// A token is a gap between two rows, never a row and never a count:
//
//	order -created_at, -id
//
//	   9 May #7   9 May #4   8 May #9 | 8 May #2   7 May #8   6 May #1
//	                                  ^
//	                     Next of the left page: after (8 May, 9)
//
// The page after it is "rows beyond (8 May, 9)", which an index finds at once.
// Rows inserted or deleted on either side do not move the gap; neither does the
// death of row 9 itself, since only its key is remembered. Prev is the gap before
// the first row, read backward; Self the same gap read forward, so that it shows
// the page again with its first row; Last the open end read backward. An empty
// page takes its gaps from the request, so the way back is never lost. Used as
// Request.After, a token stands after its row, as Request.Before, before it.
//
// A gap may hold only the leading keys: "before all of 8 May" needs no id. That
// is how Request.Since starts from a date.
//
// An [Order] is total by construction. The keys that identify a row are appended,
// in the direction of the last named key, and NULL has a place: NullsLow and
// NullsHigh turn with the direction, NullsFirst and NullsLast do not.
//
// A token holds the version and mode, a hash of the scope (resource, order,
// filters, principal), and the keys in their shortest form:
//
//	plain    10 | hint 4 | flags | count, side | kind, value …
//	signed   11 | key id | tag 16 | hint 4 | the same
//	sealed   12 | key id | tag 16 | hint 4 | the same, encrypted
//
// It never carries authority. Filters come from each request, and the token only
// works where they are the same. Signing stops invented positions; sealing hides
// the keys as well, for the same cost, and so is what Keys mean by default. Sealed
// tokens are a synthetic-IV construction (HMAC-SHA-256 truncated to 128 bits, AES-256-CTR), so the
// same position has the same token: responses can be cached and compared. A random nonce
// would make each response new, and is 12 bytes longer.
//
// [NewMerge] makes one source of several: each shard seeks to the same gap, and a
// loser tree merges what they return. The token has the same size for 2 or 64
// shards and stays valid when shards are added.
//
// # Choosing
//
// Keys. Sort by what users see, and add nothing: the identity is appended. Prefer
// keys that do not change: a row whose key changes during a walk may be seen
// twice or not at all. Every order that clients may choose needs its own index.
//
// Tokens. Plain ones suit public lists. Give Keys where the keys are private or
// where positions must not be invented, MaxAge where links must die:
// bytes = 5 + 2 + Σ(1 + value) for plain, 17 more with Keys; characters = bytes·4/3.
// For {time, int64}: value sizes 5+5 and 3, so 5+2+(1+10)+(1+3) = 22 bytes, 30 characters.
//
// Offsets. An engine reads and throws away every row before offset n: page 5,000 of
// 20 rows reads 100,020 rows to show 20. MaxOffset bounds that; use tokens for
// depth, and page numbers for people who jump within the first pages.
//
// Counts. CountExact reads every match for each page. CountCapped with its
// default answers "more than 10,000" for the price of 10,001 rows.
//
// Changes. To follow a list, order it by an ascending time or sequence and pass
// Page.Resume as Request.Since. Transactions may commit in another order than
// their times: set Settle to the longest transaction plus the clock error. On
// PostgreSQL an exact alternative is a filter on a column that stores
// pg_current_xact_id(), below pg_snapshot_xmin(pg_current_snapshot()).
//
// # Guarantees
//
//  1. A row that exists, matches and keeps its key during a complete walk is returned
//     exactly once, whatever else is inserted, deleted or updated meanwhile.
//  2. No row is returned twice unless its key changed. A row inserted ahead of the position
//     is seen, one inserted behind it is not. No snapshot is promised.
//  3. Both hold forward and backward, with ties, NULL anywhere but in the identity, and mixed directions.
//  4. A token that is damaged, forged, expired or from another scope is an error, never page one.
//     A token has one spelling; equal positions have equal tokens (with MaxAge, within a second).
//  5. int64, uint64, times to the nanosecond, bytes, UUIDs and decimals come back exactly.
//  6. Page fetches limit+1 rows in one call of the source, one more with ExactEnds, one more for a count.
//  7. Order, Codec, Pager and the sources of this package are safe for concurrent use. No goroutine
//     outlives a call; All ends its read-ahead when the loop ends.
//
// # Costs
//
// Encoding a token: one allocation, O(bytes); decoding: one for the keys, one more
// per text key; refusing a damaged one: none. A page encodes at most four tokens;
// Page.Cursor and [NewConnection] encode one per row when asked.
// NewSlice: 4 bytes a row and order unless the rows stand in order already; a page is two
// binary searches, O(log n + limit). NewMerge: about limit + 2·√(limit·shards) rows read,
// O(log shards) comparisons a row, extra rounds only for uneven shards; 24 bytes a key of each
// row read, in which it is compared. All: one batch of 1000 to 8000 rows in use and one ahead.
//
// # Limits
//
// Tokens have at most 2048 characters: about 1500 bytes of keys, then ErrKeySize.
// A plain token can be written by anybody: it can name any position, though it
// shows no row that the request's own filters do not. Text keys must be UTF-8
// without NUL. NaN has no position. Times have years 1 to 9999.
//
// "Next" after a full page that Keep thinned out may lead to an empty page; "Prev"
// is assumed for any positioned request unless ExactEnds is set. A window made of
// After and Before keeps the bound that it moves toward; the way back from its
// later pages leads beyond the other one.
//
// Memory and merge compare text bytewise. Where a database collates otherwise,
// set Key.Compare, or sort by bytes. Merge reports a shard that disagrees as ErrOrder.
// Equal rows on several shards keep their place only while shards keep their numbers.
//
// Since does not report deletions: keep them as rows with a mark. Sorting by
// more than four keys is for the program, not for requests.
//
// # References
//
//   - M. Winand, "We need tool support for keyset pagination", use-the-index-luke.com/no-offset
//   - GraphQL Cursor Connections Specification, relay.dev/graphql/connections.htm
//   - RFC 5297, Synthetic Initialization Vector (the construction of sealed tokens)
//   - RFC 5869, HKDF; RFC 4648 section 5, base64url
//   - J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast short-input PRF", 2012
//   - D. E. Knuth, The Art of Computer Programming, volume 3, section 5.4.1 (tree of losers)
package pagination
