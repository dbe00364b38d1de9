// Package servers starts private Redis, PostgreSQL and MariaDB servers for tests.
package servers
