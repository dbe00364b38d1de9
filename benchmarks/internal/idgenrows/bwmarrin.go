package idgenrows

import (
	"strconv"

	"github.com/bwmarrin/snowflake"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
)

// newBwmarrin sets the layout, which is global in that package and copied by NewNode.
func newBwmarrin(step uint8) (*snowflake.Node, error) {
	snowflake.StepBits, snowflake.NodeBits = step, 22-step
	return snowflake.NewNode(0)
}

func bwmarrinNext(step uint8, run loop) harness.Contender {
	return harness.Contender{Name: "bwmarrin/snowflake", Setup: func() (harness.Op, func(), error) {
		n, err := newBwmarrin(step)
		if err != nil {
			return nil, nil, err
		}
		return run(func() error { n.Generate(); return nil }), nil, nil
	}}
}

func bwmarrinBase58() harness.Contender {
	return contender("bwmarrin/snowflake", serial, func() error { _ = snowflake.ID(sample).Base58(); return nil })
}

func bwmarrinBase32() harness.Contender {
	return contender("bwmarrin/snowflake", serial, func() error { _ = snowflake.ID(sample).Base32(); return nil })
}

func bwmarrinParseBase58() harness.Contender {
	s := []byte(snowflake.ID(sample).Base58())
	return contender("bwmarrin/snowflake", serial, func() error { _, err := snowflake.ParseBase58(s); return err })
}

func bwmarrinParseBase32() harness.Contender {
	s := []byte(snowflake.ID(sample).Base32())
	return contender("bwmarrin/snowflake", serial, func() error { _, err := snowflake.ParseBase32(s); return err })
}

func strconvParse() harness.Contender {
	s := sample.String()
	return contender("strconv", serial, func() error { _, err := strconv.ParseInt(s, 10, 64); return err })
}
