package session_test

import (
	"context"
	"encoding/base64"
	"net/http/httptrace"
	"net/textproto"
	"testing"
)

func httptraceGot1xx(ctx context.Context, f func(code int, h textproto.MIMEHeader)) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error { f(code, h); return nil },
	})
}

func decodeBase64(tb testing.TB, s string) []byte {
	tb.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}
