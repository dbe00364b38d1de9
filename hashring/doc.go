// Package hashring maps keys to nodes by consistent hashing with virtual nodes.
package hashring
