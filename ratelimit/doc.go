// Package ratelimit decides who may proceed, now or when.
package ratelimit
