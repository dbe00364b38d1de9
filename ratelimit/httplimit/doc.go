// Package httplimit is middleware.
package httplimit
