// Package idgenrows compares package idgen with other generators of identifiers.
//
// One clock reading costs more than all else that a generator does, so nobody can be much faster than another one call by
// call; and a layout of 12 sequence bits ends at 244 ns per id whatever the code does. Speed is therefore compared with 22
// sequence bits, and at the cap of 12 bits by processor time and fairness.
package idgenrows

import (
	"time"

	"github.com/sysblocks/sysblocks/benchmarks/internal/harness"
	"github.com/sysblocks/sysblocks/idgen"
)

// sizes are those of the table, or small ones to see it work.
type sizes struct {
	run time.Duration // of the rows that measure a rate or a wait
}

// Rows returns the rows of idgen.
func Rows(quick bool) ([]harness.Row, error) {
	z := sizes{run: 2 * time.Second}
	if quick {
		z.run = 50 * time.Millisecond
	}
	rows := snowflakes(z)
	rows = append(rows, tails(z)...)
	rows = append(rows, atTheCap(z)...)
	rows = append(rows, segments(z)...)
	rows = append(rows, stores()...)
	rows = append(rows, uuids()...)
	return append(rows, texts()...), nil
}

func row(workload string, ours harness.Contender, target harness.Target, peers ...harness.Contender) harness.Row {
	return harness.Row{Workload: workload, Ours: ours, Peers: peers, Target: target}
}

func snowflakes(z sizes) []harness.Row {
	plain := idgen.SnowflakeOptions{Layout: uncapped()}
	coarse := idgen.SnowflakeOptions{Layout: uncapped(), CoarseClock: true}
	return []harness.Row{
		row("Next, 22 sequence bits", ourNext(plain, serial), harness.AtLeast(1.1), bwmarrinNext(22, serial)),
		{
			Workload: "Next, above one reading of the clock", Unit: "ns", Ours: ourOverhead(z), Target: harness.Limit(12),
		},
		row("Next, 22 bits, 10 goroutines per core", ourNext(plain, parallel), harness.AtLeast(1.2), bwmarrinNext(22, parallel)),
		row("Next, 24 bits, 10 goroutines per core",
			ourNext(idgen.SnowflakeOptions{Layout: idgen.Layout{TimeBits: 38, WorkerBits: 1, SeqBits: 24}}, parallel),
			harness.AtLeast(1.2), sonyflakeNext(parallel)),
		row("Fill of 100, per id", ourFill(100), harness.AtLeast(20), bwmarrinNext(22, serial)),
		row("Fill of 1000, per id", ourFill(1000), harness.AtLeast(20), bwmarrinNext(22, serial)),
		row("Next with CoarseClock", ourNext(coarse, serial), harness.AtLeast(3), bwmarrinNext(22, serial)),
		row("Next with CoarseClock, 10 goroutines per core", ourNext(coarse, parallel), harness.AtLeast(1.2), bwmarrinNext(22, parallel)),
	}
}

func uuids() []harness.Row {
	return []harness.Row{
		row("NewV7, against google/uuid", ourV7(serial), harness.AtLeast(2.5), googleV7(false, serial)),
		row("NewV7, against google/uuid with its pool", ourV7(serial), harness.AtLeast(1.5), googleV7(true, serial)),
		row("NewV7, against gofrs/uuid", ourV7(serial), harness.AtLeast(2.5), gofrsV7(serial)),
		row("NewV7, 10 goroutines per core", ourV7(parallel), harness.AtLeast(2), googleV7(false, parallel), gofrsV7(parallel)),
		row("FillV7 of 100, per id", ourFillV7(100), harness.AtLeast(8), googleV7(false, serial)),
		row("NewULID", ourULID(serial), harness.AtLeast(1.7), oklogMake(serial)),
		row("NewULID, 10 goroutines per core", ourULID(parallel), harness.AtLeast(3), oklogMake(parallel)),
		row("NewV7 against xid (12 bytes, a machine number from its name)", ourV7(serial), harness.Report(), xidNew(serial)),
	}
}

func texts() []harness.Row {
	return []harness.Row{
		row("AppendEncode Base58", ourEncode(idgen.Base58), harness.AtLeast(1.5), bwmarrinBase58()),
		row("AppendEncode Base32", ourEncode(idgen.Base32), harness.AtLeast(1.5), bwmarrinBase32()),
		row("ParseID", ourParse(), harness.AtLeast(1.5), strconvParse()),
		row("Decode Base58, checked", ourDecode(idgen.Base58), harness.AtLeast(1), bwmarrinParseBase58()),
		row("Decode Base32, checked", ourDecode(idgen.Base32), harness.AtLeast(1), bwmarrinParseBase32()),
		{
			Workload: "opaque Encode", Ours: ourOpaqueEncode(), Target: harness.AtLeast(15), MaxAllocs: 1,
			Peers: []harness.Contender{sqidsEncode()},
		},
		row("opaque Decode", ourOpaqueDecode(), harness.AtLeast(15), sqidsDecode()),
	}
}
