// Package problem writes errors in the form of RFC 9457, application/problem+json, as the packages of the library do.
package problem

import (
	"encoding/json"
	"net/http"
)

// Write answers with a status and a sentence for people. Set headers before.
func Write(out http.ResponseWriter, status int, detail string) {
	out.Header().Set("Content-Type", "application/problem+json")
	out.WriteHeader(status)
	_ = json.NewEncoder(out).Encode(map[string]any{ // the reader may have gone
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
	})
}
