// Package internal holds what the example programs share.
package internal
