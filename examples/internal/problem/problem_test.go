package problem

import (
	"net/http/httptest"
	"testing"
)

func TestAProblemReadsAsTheStandardSays(t *testing.T) {
	out := httptest.NewRecorder()
	Write(out, 404, "no such thing")
	const want = `{"detail":"no such thing","status":404,"title":"Not Found","type":"about:blank"}` + "\n"
	if out.Code != 404 || out.Header().Get("Content-Type") != "application/problem+json" || out.Body.String() != want {
		t.Errorf("%d %v %s", out.Code, out.Header(), out.Body)
	}
}
