// Package connect opens the engines that the flags ask for: SQLite in a folder, or the real PostgreSQL and Redis.
//
// What a demo writes it removes again: it works in a schema and under a key prefix of its own. A served system keeps its data in
// the schema sysblocks_NAME and under the prefix sysblocks_NAME:.
package connect

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/redis/go-redis/v9"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/sysblocks/sysblocks/examples/internal/engine"
)

// patience is how long an engine that was asked for may take to answer the first time.
const patience = 3 * time.Second

// Options say where the data lies.
type Options struct {
	Name  string // of the example
	Dir   string // an existing folder, for the embedded engine
	Fresh bool   // a demo: take a new schema and a new prefix, and remove them in Close
}

// Engines are open connections.
type Engines struct {
	SQL      *sql.DB
	Postgres bool          // what SQL speaks; else SQLite
	Redis    *redis.Client // nil when embedded
	Prefix   string        // is in every key in Redis
	schema   string        // of PostgreSQL
	fresh    bool
}

// Reach asks each engine that the flags name for an answer, within three seconds. Its error names the engine, never the address's
// password.
func Reach(ctx context.Context, e engine.Engines) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if e.Redis != "" {
		client, err := redisClient(e.Redis)
		if err == nil {
			err = errors.Join(client.Ping(ctx).Err(), client.Close())
		}
		if err != nil {
			return fmt.Errorf("%w: -redis: %w", engine.ErrUnreachable, err)
		}
	}
	if e.Postgres != "" {
		db, err := postgres(e.Postgres, "")
		if err == nil {
			err = errors.Join(db.PingContext(ctx), db.Close())
		}
		if err != nil {
			return fmt.Errorf("%w: -postgres: %w", engine.ErrUnreachable, err)
		}
	}
	return nil
}

// Open connects. Close the result, also to remove what a demo has written.
func Open(ctx context.Context, e engine.Engines, o Options) (c *Engines, err error) {
	c = &Engines{Postgres: e.Postgres != "", fresh: o.Fresh}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close(ctx))
			c = nil
		}
	}()
	name := "sysblocks_" + o.Name
	if o.Fresh {
		name += "_" + strings.ToLower(rand.Text())[:10]
	}
	c.Prefix = name + ":"
	if e.Redis != "" {
		if c.Redis, err = redisClient(e.Redis); err != nil {
			return c, err
		}
	}
	if !c.Postgres {
		c.SQL, err = sql.Open("sqlite", "file:"+filepath.Join(o.Dir, o.Name+".db")+
			"?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
		if err == nil {
			c.SQL.SetMaxOpenConns(8)
		}
		return c, err
	}
	if c.SQL, err = postgres(e.Postgres, name); err != nil {
		return c, err
	}
	c.schema = name
	_, err = c.SQL.ExecContext(ctx, "CREATE SCHEMA IF NOT EXISTS "+name)
	return c, err
}

// Close gives the connections back. It removes the schema and the keys of a demo, also when ctx has ended.
func (c *Engines) Close(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if c.Redis != nil {
		if c.fresh {
			err = c.removeKeys(ctx)
		}
		err = errors.Join(err, c.Redis.Close())
	}
	if c.SQL != nil {
		if c.fresh && c.schema != "" {
			_, drop := c.SQL.ExecContext(ctx, "DROP SCHEMA IF EXISTS "+c.schema+" CASCADE")
			err = errors.Join(err, drop)
		}
		err = errors.Join(err, c.SQL.Close())
	}
	return err
}

// removeKeys looks for the prefix anywhere in a key, since packages that are given a namespace put a word of theirs before it.
// The prefix of a demo is random, so that nobody else's keys have it.
func (c *Engines) removeKeys(ctx context.Context) error {
	keys := c.Redis.Scan(ctx, 0, "*"+c.Prefix+"*", 1000).Iterator()
	for keys.Next(ctx) {
		if err := c.Redis.Unlink(ctx, keys.Val()).Err(); err != nil {
			return err
		}
	}
	return keys.Err()
}

// redisClient takes host:port or a URL.
func redisClient(address string) (*redis.Client, error) {
	o := &redis.Options{Addr: address}
	if strings.Contains(address, "://") {
		var err error
		if o, err = redis.ParseURL(address); err != nil {
			return nil, errors.New("malformed URL") // the text of err repeats the URL, and the password in it
		}
	}
	o.ContextTimeoutEnabled = true
	o.MaxRetries = -1 // the packages decide what may be sent twice
	return redis.NewClient(o), nil
}

func postgres(dsn, schema string) (*sql.DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("malformed DSN")
	}
	if schema != "" {
		config.RuntimeParams["search_path"] = schema
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(16)
	db.SetMaxIdleConns(16)
	return db, nil
}
