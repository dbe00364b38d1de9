package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/sysblocks/sysblocks/examples/gateway/proxy"
	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/internal/workload"
	"github.com/sysblocks/sysblocks/hashring"
)

// powers are what the machines of claim b can do, in requests of the same cost in the same time.
func powers() []float64 { return []float64{1, 1, 2, 4} }

// Load of claim b: requests cost 10 ms of a machine of power 1 on average, and come as fast as 70 % of the power can do. One in
// five has the hot key.
const (
	meanCost = 10 * time.Millisecond
	busy     = 0.7
	hotShare = 0.2
)

// machineOf is a machine of claim b: it works on one request after the other. Its books are kept here, not in the pool.
type machineOf struct {
	power float64
	queue []job // in flight, in the order in which they end
	free  time.Duration
	work  time.Duration
}

type job struct {
	ends  time.Duration
	lease *proxy.Lease
}

// trial is a policy at work on unequal machines, in virtual time: requests come by the clock of the trial, and the pool, which is
// that of the gateways, is asked about each.
type trial struct {
	machines  map[string]*machineOf
	total     int // in flight
	power     float64
	steps     int
	overBound int // steps after which the machine that got the request had more than its bound
	latencies []time.Duration
}

func try(policy string, env claim.Env) (*trial, error) {
	t := &trial{machines: make(map[string]*machineOf)}
	var members []proxy.Machine
	for i, p := range powers() {
		m := proxy.Machine{Name: fmt.Sprint("machine-", i+1), Weight: p}
		members = append(members, m)
		t.machines[m.Name] = &machineOf{power: p}
		t.power += p
	}
	pool, err := ready(policy, env, members)
	if err != nil {
		return nil, err
	}
	rng := workload.Rand(env.Seed, 50)
	rate := busy * t.power / meanCost.Seconds()
	for now := range workload.Poisson(rng, rate) {
		if t.steps == env.Size(50_000) {
			break
		}
		key := "hot"
		if rng.Float64() >= hotShare {
			key = fmt.Sprint("user-", rng.IntN(10_000))
		}
		t.endUntil(now)
		lease, err := pool.Acquire(key)
		if err != nil {
			return nil, err
		}
		t.begin(now, lease, time.Duration(rng.ExpFloat64()*float64(meanCost)))
	}
	return t, nil
}

// ready makes a pool whose machines are ready.
func ready(policy string, env claim.Env, machines []proxy.Machine) (*proxy.Pool, error) {
	pool, err := proxy.NewPool(policy, uint64(env.Seed), machines...)
	if err != nil {
		return nil, err
	}
	for _, m := range machines {
		pool.Set(m.Name, proxy.Ready)
	}
	return pool, nil
}

// endUntil ends the requests that are done by now.
func (t *trial) endUntil(now time.Duration) {
	for _, m := range t.machines {
		for len(m.queue) > 0 && m.queue[0].ends <= now {
			m.queue[0].lease.Release()
			m.queue = m.queue[1:]
			t.total--
		}
	}
}

// begin queues a request, and compares what its machine has with the bound that the paper gives: ⌈(1+ε) · fair share⌉ of all that
// is in flight, the new one included.
func (t *trial) begin(now time.Duration, lease *proxy.Lease, cost time.Duration) {
	m := t.machines[lease.Machine.Name]
	m.free = max(m.free, now) + time.Duration(float64(cost)/m.power)
	m.work += cost
	m.queue = append(m.queue, job{m.free, lease})
	t.total++
	t.steps++
	if float64(len(m.queue)) > math.Ceil(proxy.LoadFactor*float64(t.total)*m.power/t.power) {
		t.overBound++
	}
	t.latencies = append(t.latencies, m.free-now)
}

// maxOverMean is the work of the busiest machine for its power, over that of all.
func (t *trial) maxOverMean() float64 {
	most, total := 0.0, 0.0
	for _, m := range t.machines {
		most = max(most, m.work.Seconds()/m.power)
		total += m.work.Seconds()
	}
	return most / (total / t.power)
}

// compared is claim b: the same requests for every policy.
func compared(_ context.Context, env claim.Env) (claim.Facts, error) {
	facts := claim.Facts{}
	for _, policy := range proxy.Policies() {
		t, err := try(policy, env)
		if err != nil {
			return nil, err
		}
		facts[policy+"-max-mean"] = t.maxOverMean()
		facts[policy+"-p99-ms"] = p99(t.latencies)
		if policy == "bounded" {
			facts["steps"], facts["over-bound"] = float64(t.steps), float64(t.overBound)
		}
	}
	return facts, nil
}

// balanced: the bound holds, and the policies that know of power or load do better than the one that knows of neither.
func balanced(f claim.Facts) bool {
	for _, policy := range proxy.Policies() {
		if !f.Over(policy+"-max-mean", 0) || !f.Over(policy+"-p99-ms", 0) {
			return false
		}
	}
	for _, policy := range []string{"weighted", "least", "two", "bounded"} {
		if !f.AtMost(policy+"-p99-ms", f["round-p99-ms"]/2) {
			return false
		}
	}
	return f.Over("steps", 0) && f.Is("over-bound", 0)
}

func compareOrder() []string {
	order := []string{"steps", "over-bound"}
	for _, policy := range proxy.Policies() {
		order = append(order, policy+"-max-mean", policy+"-p99-ms")
	}
	return order
}

// hashedOnly is its control: the same requests, without a bound.
func hashedOnly(_ context.Context, env claim.Env) (claim.Facts, error) {
	t, err := try("hash", env)
	if err != nil {
		return nil, err
	}
	return claim.Facts{
		"steps": float64(t.steps), "over-bound": float64(t.overBound), "hash-max-mean": t.maxOverMean(), "hash-p99-ms": p99(t.latencies),
	}, nil
}

const ten = 10

// left is claim e: one of ten machines leaves a pool with the policy hash. Where is each user before and after?
func left(_ context.Context, env claim.Env) (claim.Facts, error) {
	var machines []proxy.Machine
	for i := range ten {
		machines = append(machines, proxy.Machine{Name: fmt.Sprint("machine-", i)})
	}
	pool, err := ready("hash", env, machines)
	if err != nil {
		return nil, err
	}
	home := func(user string) (string, error) {
		lease, err := pool.Acquire(user)
		if err != nil {
			return "", err
		}
		defer lease.Release()
		return lease.Machine.Name, nil
	}
	gone := machines[workload.Rand(env.Seed, 60).IntN(ten)].Name
	return moves(env, gone, home, func() { pool.Remove(gone) })
}

// leftModulo is its control. The machines are numbered, so it is the last one that leaves: the best case for this method.
func leftModulo(_ context.Context, env claim.Env) (claim.Facts, error) {
	n := ten
	home := func(user string) (string, error) { return strconv.Itoa(hashring.Modulo(hashring.Hash(user), n)), nil }
	return moves(env, strconv.Itoa(ten-1), home, func() { n-- })
}

// moves compares where users are before and after a machine has left.
func moves(env claim.Env, gone string, home func(user string) (string, error), leave func()) (claim.Facts, error) {
	users, rng := make([]string, env.Size(100_000)), workload.Rand(env.Seed, 61)
	before := make([]string, len(users))
	var err error
	for i := range users {
		users[i] = fmt.Sprintf("user-%x", rng.Uint64())
		if before[i], err = home(users[i]); err != nil {
			return nil, err
		}
	}
	leave()
	facts := claim.Facts{"users": float64(len(users)), "of-that-machine": 0, "moved": 0, "moved-elsewhere": 0}
	for i, user := range users {
		after, err := home(user)
		if err != nil {
			return nil, err
		}
		if before[i] == gone {
			facts["of-that-machine"]++
		}
		if after != before[i] {
			facts["moved"]++
			if before[i] != gone {
				facts["moved-elsewhere"]++ // though its machine is still there
			}
		}
	}
	facts["moved-share"] = facts["moved"] / facts["users"]
	return facts, nil
}
