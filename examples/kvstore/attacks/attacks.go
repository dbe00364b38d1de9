// Package attacks states what the store claims and tries to refute it: one file per claim, with the attack, what it counts outside
// the store, and the naive way that the same attack must break.
package attacks

import (
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/examples/kvstore/attacks/consistency"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
)

// workers is how many clients work at once.
const workers = 8

// System is what is attacked, as the flags describe it.
type System struct {
	Nodes  int
	Quorum cluster.Quorum
	Files  string // the folder whose files claim g stores
}

// Claims are what the store says of itself. The System may still change until they run: flags are parsed later.
func (s *System) Claims() []claim.Claim {
	return []claim.Claim{
		s.kill(), consistency.Linear(), consistency.Reads(), s.join(), s.absent(), consistency.Partition(), s.files(), s.hot(), consistency.Counter(), s.listing(),
	}
}

// alone is the control of several claims: no copies.
func alone() *cluster.Quorum { return &cluster.Quorum{N: 1, W: 1, R: 1} }

// with runs an attack on a fresh cluster of the size that the flags say.
func (s *System) with(env claim.Env, q cluster.Quorum, attack func(nodes *local.Cluster) (claim.Facts, error)) (claim.Facts, error) {
	return local.Scratch(q, local.Names(s.Nodes), env.Seed, attack)
}

// victims draws two nodes, different ones if there are two.
func victims(env claim.Env, nodes int) (first, second string) {
	order := workload.Rand(env.Seed, 1).Perm(nodes)
	names := local.Names(nodes)
	return names[order[0]].ID, names[order[len(order)-1]].ID
}
