// Package opaque turns ids into public texts under a key, and back: neighbours look unrelated, and nobody without the key
// can count or continue them.
//
//	codec, err := opaque.New(key, opaque.Options{Name: "order", CheckBits: 24})
//	if err != nil {
//		return err
//	}
//	text, err := codec.Encode(id)     // /orders/3hJ7kQx2Vd9mPsT
//	id, err = codec.Decode(hostile)   // idgen.ErrSyntax, idgen.ErrRange or opaque.ErrForged
//
// It hides counts and order. It does not authorize anything: whoever holds a text can show it to others, so the service
// still has to ask who may see order 17.
//
// # How it works
//
// The id, followed by CheckBits zeros, is a number of n = IDBits+CheckBits bits. A Feistel network permutes the 2^n numbers
// under the key, and the result is written with fixed width:
//
//	 id | 0…0                 n bits
//	+---------+---------+
//	| a: n/2  | b: rest |
//	+---------+---------+
//	  a ^= F(0, b)            F(i, x) = SipHash-2-4 of x under the key of round i;
//	  b ^= F(1, a)            HKDF-SHA-256 derives the keys from yours and Name
//	  …                       8 rounds, 16 below 40 bits
//	+---------+---------+
//	|   permuted number | -> Base58, Base32 or Base62
//	+---------+---------+
//
// Each round undoes itself when the rounds run backwards, so Decode is exact: each number has one text, and each text of
// the right width below 2^n has one number. When the last CheckBits bits of that number are not zero, no Encode made it.
//
// # Choosing
//
// CheckBits: a guess passes with probability 2^-CheckBits. With 24 bits an attacker who tries a million texts finds a valid
// one with probability 10^6/2^24, about 6 %; of those, few name an existing row. With 40 bits it is 1 in a million.
//
// Width: the least w with base^w >= 2^n. 63 bits take 11 characters of Base58 or 13 of Base32; 63+24 take 15 or 18; 30 bits
// take 6.
//
// Name: one per kind of object, so that a user id does not open an order. Base32 for texts that people read aloud.
//
// # Guarantees
//
//  1. Encode and Decode are inverse: a bijection between ids of IDBits and their texts.
//  2. The mapping is part of the API. The same key, Name and sizes give the same text in every version and on every
//     platform (testdata/vectors.txt).
//  3. Decode accepts one text per id (Base32: up to case and Crockford's aliases), never panics, and does a bounded amount
//     of work.
//  4. A Codec is immutable and safe for concurrent use.
//
// # Costs
//
// Eight or sixteen calls of SipHash, about 10 ns each. Encode allocates its string, AppendEncode and Decode nothing.
// A Codec takes about 400 bytes; make one per name and keep it.
//
// # Limits
//
//   - Not an authorization, and not encryption of anything larger than an id.
//   - The key cannot be changed without changing all texts: keep two codecs for a while, and use check bits to tell.
//   - Without check bits every text of the right width that is below 2^n decodes to some id.
//   - Few bits are few bits: with IDBits of 20 and no check bits anyone can try all million texts.
//   - A text shows its width, so the sizes of the options are public.
//
// # References
//
//   - M. Luby, C. Rackoff, How to construct pseudorandom permutations from pseudorandom functions (1988).
//   - J.-P. Aumasson, D. J. Bernstein, SipHash: a fast short-input PRF (2012).
//   - NIST SP 800-38G, Format-Preserving Encryption, for why small domains need more rounds.
package opaque
