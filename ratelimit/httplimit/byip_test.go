package httplimit

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"
)

func TestClientAddressComesFromTrustedProxiesOnly(t *testing.T) {
	trusted := []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::ffff:172.16.0.0/108"), netip.MustParsePrefix("fd00::/8"),
	}
	many := strings.Repeat("10.0.0.9, ", 64) + "10.0.0.8"
	for _, c := range []struct {
		name, remote string
		forwarded    []string
		want         string
	}{
		{"direct", "192.0.2.7:80", nil, "192.0.2.7"},
		{"untrusted peer is not believed", "192.0.2.7:80", []string{"1.1.1.1"}, "192.0.2.7"},
		{"one proxy", "10.0.0.1:80", []string{"192.0.2.9"}, "192.0.2.9"},
		{"spoofed prefix", "10.0.0.1:80", []string{"6.6.6.6, 192.0.2.9"}, "192.0.2.9"},
		{"two proxies", "10.0.0.1:80", []string{"6.6.6.6, 192.0.2.9, 10.0.0.2"}, "192.0.2.9"},
		{"several lines are one list", "10.0.0.1:80", []string{"6.6.6.6", "192.0.2.9", "10.0.0.3, 10.0.0.2"}, "192.0.2.9"},
		{"empty hop ends the walk", "10.0.0.1:80", []string{"192.0.2.9, , 10.0.0.2"}, "10.0.0.2"},
		{"rubbish ends the walk", "10.0.0.1:80", []string{"192.0.2.9, unknown, 10.0.0.2"}, "10.0.0.2"},
		{"rubbish at once", "10.0.0.1:80", []string{"x"}, "10.0.0.1"},
		{"no header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"port", "10.0.0.1:80", []string{"192.0.2.9:4711"}, "192.0.2.9"},
		{"brackets and port", "10.0.0.1:80", []string{"[2001:db8::1]:4711"}, "2001:db8::/64"},
		{"brackets", "10.0.0.1:80", []string{"[2001:db8::1]"}, "2001:db8::/64"},
		{"zone", "[fe80::1%eth0]:80", nil, "fe80::/64"},
		{"v4 in v6 peer", "[::ffff:10.0.0.1]:80", []string{"::ffff:192.0.2.9"}, "192.0.2.9"},
		{"v4 in v6 prefix", "172.16.9.9:80", []string{"192.0.2.9"}, "192.0.2.9"},
		{"v6 proxy", "[fd00::1]:80", []string{"192.0.2.9"}, "192.0.2.9"},
		{"all trusted", "10.0.0.1:80", []string{"10.0.0.4, 10.0.0.3", "10.0.0.2"}, "10.0.0.4"},
		{"65 hops", "10.0.0.1:80", []string{"192.0.2.9, " + many}, "10.0.0.9"},
		{"the client is the 64th hop", "10.0.0.1:80", []string{"192.0.2.9, " + strings.Repeat("10.0.0.9, ", 62) + "10.0.0.8"}, "192.0.2.9"},
		{"tabs", "10.0.0.1:80", []string{"192.0.2.9,\t10.0.0.2 "}, "192.0.2.9"},
		{"unix socket", "@", []string{"192.0.2.9"}, "unknown"},
		{"no port", "192.0.2.7", nil, "192.0.2.7"},
		{"same /64", "[2001:db8:1:2:3:4:5:6]:1", nil, "2001:db8:1:2::/64"},
	} {
		r := &http.Request{RemoteAddr: c.remote, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		r.Header.Set("X-Real-IP", "7.7.7.7")
		r.Header.Set("Forwarded", "for=7.7.7.7")
		if got, ok := ByIP(trusted...)(r); got != c.want || !ok {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	r := &http.Request{RemoteAddr: "10.0.0.1:80", Header: http.Header{"X-Forwarded-For": {"192.0.2.9"}}}
	if got, _ := ByIP()(r); got != "10.0.0.1" {
		t.Errorf("without trusted prefixes: %q", got)
	}
}

func FuzzByIP(f *testing.F) {
	f.Add("10.0.0.1:80", "6.6.6.6, 192.0.2.9", "10.0.0.2")
	f.Add("[::1]:1", ",", "[")
	key := ByIP(netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0"))
	f.Fuzz(func(t *testing.T, remote, first, second string) {
		r := &http.Request{RemoteAddr: remote, Header: http.Header{"X-Forwarded-For": {first, second}}}
		got, ok := key(r)
		if !ok || got == "" {
			t.Fatalf("%q, %v", got, ok)
		}
		if got == noAddress {
			return
		}
		if _, err := netip.ParseAddr(got); err == nil {
			return
		}
		if p, err := netip.ParsePrefix(got); err != nil || p.Bits() != 64 {
			t.Fatalf("%q is neither an address nor a /64", got)
		}
	})
}
