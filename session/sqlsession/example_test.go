package sqlsession_test

import (
	"database/sql"
	"fmt"

	"github.com/sysblocks/sysblocks/session/sqlsession"
)

// The schema, for a migration.
func ExampleStore_Schema() {
	db := new(sql.DB) // sql.Open("pgx", dsn)
	store, err := sqlsession.New(db, sqlsession.Postgres, sqlsession.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(store.Schema())
	// Output:
	// CREATE TABLE IF NOT EXISTS "sessions" (
	// 	id BYTEA NOT NULL PRIMARY KEY,
	// 	user_id BYTEA NULL,
	// 	version BIGINT NOT NULL,
	// 	created_at BIGINT NOT NULL,
	// 	expires_at BIGINT NOT NULL,
	// 	deadline BIGINT NOT NULL,
	// 	payload BYTEA NOT NULL
	// );
	// CREATE INDEX IF NOT EXISTS "sessions_expires_at" ON "sessions" (expires_at);
	// CREATE INDEX IF NOT EXISTS "sessions_user_id" ON "sessions" (user_id) WHERE user_id IS NOT NULL
}
