// Command kvstore is a replicated key-value store with a file system on top: five nodes in one process, which it kills, lets
// catch up and joins by a sixth, while it counts what is lost.
//
// Read attacks/ first for what is claimed, then follow a request: web/web.go, wire/client.go, cluster/coord.go, where a write becomes
// three, cluster/node.go, storage/store.go. README.md has the map.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"

	"github.com/sysblocks/sysblocks/examples/internal/claim"
	"github.com/sysblocks/sysblocks/examples/kvstore/attacks"
	"github.com/sysblocks/sysblocks/examples/kvstore/cluster"
	"github.com/sysblocks/sysblocks/examples/kvstore/local"
	"github.com/sysblocks/sysblocks/examples/kvstore/process"
	"github.com/sysblocks/sysblocks/examples/kvstore/web"
)

//go:generate go test -run ^TestREADME$ -update .

func main() { claim.Main(kvstore()) }

// config is what the flags decide.
type config struct {
	attacks.System
	node, peers string // one node of several processes
}

func kvstore() claim.Example {
	c := &config{}
	return claim.Example{
		Name:      "kvstore",
		Title:     c.title,
		Flags:     c.flags,
		Check:     c.check,
		Claims:    c.Claims(),
		Bytes:     1000,
		Estimate:  c.estimate,
		Exchanges: web.Exchanges(),
		Serve:     c.serve,
		Commands:  map[string]func(context.Context, claim.Command) error{"files": filesCommand},
	}
}

func (c *config) flags(fs *flag.FlagSet) {
	fs.IntVar(&c.Nodes, "nodes", 5, "machines")
	fs.IntVar(&c.Quorum.N, "n", 3, "replicas of a key")
	fs.IntVar(&c.Quorum.W, "w", 2, "replicas that must have a write")
	fs.IntVar(&c.Quorum.R, "r", 2, "replicas that must answer a read")
	fs.StringVar((*string)(&c.Quorum.Mode), "mode", string(cluster.Newest), "how replicas agree: quorum, linear or available")
	fs.StringVar(&c.node, "node", "", "serve: run this one of the -peers only, one process for each")
	fs.StringVar(&c.peers, "peers", "", "serve: all nodes with their `addresses`, as a=HOST:PORT,b=HOST:PORT")
	fs.StringVar(&c.Files, "files", repository(), "demo: the `DIR` whose files claim g stores")
}

func (c *config) check() error {
	q := c.Quorum
	if (c.node == "") != (c.peers == "") {
		return errors.New("-node and -peers belong together")
	}
	if c.peers != "" {
		peers, err := process.ParsePeers(c.peers)
		if err != nil {
			return err
		}
		c.Nodes = len(peers)
	}
	if c.Nodes < 1 || c.Nodes > 100 {
		return fmt.Errorf("-nodes %d, want 1 to 100", c.Nodes)
	}
	if q.N < 1 || q.N > c.Nodes || q.W < 1 || q.W > q.N || q.R < 1 || q.R > q.N {
		return fmt.Errorf("-nodes %d -n %d -w %d -r %d, want 1 <= w, r <= n <= nodes", c.Nodes, q.N, q.W, q.R)
	}
	switch q.Mode {
	case cluster.Newest, cluster.Available:
	case cluster.Linear:
		if q.W+q.R <= q.N {
			return fmt.Errorf("-mode linear -n %d -w %d -r %d, want w + r > n", q.N, q.W, q.R)
		}
	default:
		return fmt.Errorf("-mode %s, want quorum, linear or available", q.Mode)
	}
	return nil
}

// title shows the zones, since a key's replicas stand in different ones.
func (c *config) title() string {
	var names []string
	for _, m := range local.Names(c.Nodes) {
		names = append(names, m.ID+"/"+m.Zone)
	}
	q := c.Quorum
	return fmt.Sprintf("%d nodes (%s), N=%d W=%d R=%d, mode %s", c.Nodes, strings.Join(names, " "), q.N, q.W, q.R, q.Mode)
}

func (c *config) serve(ctx context.Context, site claim.Site) (err error) {
	if c.node != "" {
		peers, err := process.ParsePeers(c.peers)
		if err != nil {
			return err
		}
		node, err := process.Start(ctx, site.Data, c.node, c.Quorum, peers)
		if err != nil {
			return err
		}
		site.Exchanges = nil // they kill nodes of this process
		return errors.Join(site.HTTP(ctx, web.New(node)), node.Close())
	}
	nodes, err := local.Run(site.Data, c.Quorum, local.Names(c.Nodes), 1)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, nodes.Close()) }()
	return site.HTTP(ctx, web.New(nodes))
}
