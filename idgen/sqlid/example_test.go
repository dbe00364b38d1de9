package sqlid_test

import (
	"fmt"

	"github.com/sysblocks/sysblocks/idgen"
	"github.com/sysblocks/sysblocks/idgen/sqlid"
)

func ExampleSchema() {
	for _, statement := range sqlid.Schema(sqlid.Postgres, "shop") {
		fmt.Println(statement)
	}
	// Output:
	// CREATE TABLE IF NOT EXISTS shop_counters (name TEXT NOT NULL PRIMARY KEY, next_value BIGINT NOT NULL)
	// CREATE TABLE IF NOT EXISTS shop_leases (namespace TEXT NOT NULL, worker BIGINT NOT NULL, token BIGINT NOT NULL, until_us BIGINT NOT NULL, owner TEXT NOT NULL, PRIMARY KEY (namespace, worker))
}

// Two masters that must never give the same number.
func ExampleStrideDDL() {
	masters, err := idgen.Strides(2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range masters {
		statements, err := sqlid.StrideDDL(sqlid.MySQL, s, "")
		fmt.Println(statements, err)
	}
	fmt.Println(masters[0].Disjoint(masters[1]))
	// Output:
	// [SET GLOBAL auto_increment_increment = 2 SET GLOBAL auto_increment_offset = 1] <nil>
	// [SET GLOBAL auto_increment_increment = 2 SET GLOBAL auto_increment_offset = 2] <nil>
	// true
}
