package hashring

import (
	"fmt"
	"math"
)

// Limits of Options and of Node.
const (
	defaultVNodes = 256         // deviation of the shares is 1/√256, six per cent
	maxVNodes     = 1 << 16     // per unit of weight
	maxPoints     = 1 << 20     // per node; keeps F·q of the bound inside 64 bits
	maxRing       = 1 << 31     // points in all; positions are 32-bit
	minFactor     = 1.01        // below it a join reshuffles more than it brings in
	maxFactor     = 100         // above it the bound never binds
	factorOne     = 1 << 32     // LoadFactor 1 as a fixed-point number with 32 fraction bits
	probe         = "sysblocks" // the second string by which two mappings of keys are compared
)

// Options tune a ring. The zero value suits a service: 256 points a node, no bound, no seed, XXH64.
type Options struct {
	// VNodes is the number of points per unit of weight, 1 … 65536; 0 means 256.
	// The standard deviation of the nodes' shares is about 1/√VNodes of the fair share.
	VNodes int

	// LoadFactor bounds the share of every node: none owns more than this times its fair share.
	// 1.01 … 100; 0 means no bound. With a bound a join may move a few keys between third nodes.
	LoadFactor float64

	// Seed, when not 0, keys the placement, so that keys cannot be chosen to land on one node.
	// All processes must use the same seed. It does not defend against full 64-bit collisions of
	// the hash function; for that supply a keyed Hash.
	Seed uint64

	// HashTags hashes only the {tag} of a key, as Redis Cluster does; see HashTag. IDs are always hashed whole.
	HashTags bool

	// Hash maps IDs and keys to 64 bits; nil means XXH64. It must be a pure function, the same in all
	// processes, safe for concurrent use, and must not keep the string.
	Hash func(string) uint64
}

// config is a validated Options. Its functions are the placement of the format description: pos, token and q.
type config struct {
	vnodes int
	factor float64 // LoadFactor as given
	bound  uint64  // floor(LoadFactor·2³²); 0 without a bound
	seed   uint64
	tags   bool
	hash   func(string) uint64 // nil: XXH64
	plain  bool                // the token of a key is its XXH64 and nothing else
}

func newConfig(o Options) (config, error) {
	if o.VNodes < 0 || o.VNodes > maxVNodes {
		return config{}, fmt.Errorf("%w: Options.VNodes = %d, want 1 … %d, or 0 for %d",
			ErrInvalid, o.VNodes, maxVNodes, defaultVNodes)
	}
	bound, err := fixedFactor(o.LoadFactor)
	if err != nil {
		return config{}, fmt.Errorf("%w: Options.LoadFactor = %v, want %v … %d, or 0 for no bound",
			err, o.LoadFactor, minFactor, maxFactor)
	}
	return config{
		vnodes: vnodesOr(o.VNodes),
		factor: o.LoadFactor,
		bound:  bound,
		seed:   o.Seed,
		tags:   o.HashTags,
		hash:   o.Hash,
		plain:  o.Hash == nil && o.Seed == 0 && !o.HashTags,
	}, nil
}

func vnodesOr(n int) int {
	if n == 0 {
		return defaultVNodes
	}
	return n
}

// fixedFactor turns a load factor into fixed point; 0 stays 0.
func fixedFactor(f float64) (uint64, error) {
	if f == 0 {
		return 0, nil
	}
	if !(f >= minFactor && f <= maxFactor) { // NaN fails both comparisons
		return 0, ErrInvalid
	}
	return uint64(f * factorOne), nil
}

// points is q, the number of points of a node of that weight.
func (c *config) points(weight float64) int {
	if weight == 0 {
		weight = 1
	}
	return max(1, int(math.Round(weight*float64(c.vnodes))))
}
