// Package redislimit is one limit for a fleet.
package redislimit
