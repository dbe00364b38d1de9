// Package sysblocks is the front page of a library of system-design building blocks.
package sysblocks
