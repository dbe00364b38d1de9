package httplimit

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

const (
	maxHops = 64 // of X-Forwarded-For that are read; a client can send any number
	// noAddress is the one key of all peers without an address, such as those of a Unix socket.
	noAddress = "unknown"
	hostBits  = 64 // an IPv6 network of this prefix is one client: it can use any address in it
)

// ByIP keys by client address: the peer's, or, where the peer is a trusted proxy, the nearest untrusted hop of
// X-Forwarded-For, which is read from the right, since everything left of what a trusted proxy added is the client's
// own claim. IPv6 addresses are grouped by /64. Forwarded and X-Real-IP are never believed. When all hops are trusted
// the leftmost of those read is the client; a hop that is no address ends the walk at the last trusted one.
func ByIP(trusted ...netip.Prefix) func(*http.Request) (key string, ok bool) {
	prefixes := make([]netip.Prefix, 0, len(trusted))
	for _, p := range trusted {
		if p.Addr().Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
		}
		prefixes = append(prefixes, p.Masked())
	}
	return func(r *http.Request) (string, bool) {
		addr, ok := parseAddr(r.RemoteAddr)
		if !ok {
			return noAddress, true
		}
		if len(prefixes) > 0 && contains(prefixes, addr) {
			return group(walk(addr, r.Header["X-Forwarded-For"], prefixes)), true
		}
		if host, _, found := strings.Cut(r.RemoteAddr, ":"); found && addr.Is4() && len(host) >= len("0.0.0.0") {
			return host, true // an IPv4 address has one spelling only: no need to write it anew
		}
		return group(addr), true
	}
}

// walk follows the hops from the trusted peer towards the client.
func walk(peer netip.Addr, lines []string, trusted []netip.Prefix) netip.Addr {
	hops := 0
	for _, line := range slices.Backward(lines) {
		for rest, more := line, true; more; {
			var hop string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				hop, rest = rest[at+1:], rest[:at]
			} else {
				hop, more = rest, false
			}
			if hops++; hops > maxHops {
				return peer
			}
			addr, ok := parseAddr(strings.Trim(hop, " \t"))
			if !ok {
				return peer
			}
			peer = addr
			if !contains(trusted, addr) {
				return peer
			}
		}
	}
	return peer
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without port, brackets and zone. Only texts that can hold a port are parsed as such:
// a failed parse costs an allocation.
func parseAddr(s string) (netip.Addr, bool) {
	var addr netip.Addr
	var err error
	switch {
	case len(s) > 2 && s[0] == '[' && s[len(s)-1] == ']':
		if addr, err = netip.ParseAddr(s[1 : len(s)-1]); !addr.Is6() {
			return netip.Addr{}, false
		}
	case strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1:
		var port netip.AddrPort
		port, err = netip.ParseAddrPort(s)
		addr = port.Addr()
	default:
		addr, err = netip.ParseAddr(s)
	}
	return addr.WithZone("").Unmap(), err == nil
}

// group is the key of an address.
func group(addr netip.Addr) string {
	if addr.Is6() {
		if p, err := addr.Prefix(hostBits); err == nil {
			return p.String()
		}
	}
	return addr.String()
}
