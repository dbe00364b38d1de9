package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"

	"github.com/sysblocks/sysblocks/examples/newsfeed/feed"
)

// Client is a browser of one user: it keeps its cookie, and so sees what it has written.
type Client struct {
	url, name string
	http      *http.Client
}

// NewClient makes a browser that has no cookie yet.
func NewClient(transport http.RoundTripper, url, name string) (*Client, error) {
	jar, err := cookiejar.New(nil)
	return &Client{url, name, &http.Client{Transport: transport, Jar: jar}}, err
}

// Publish posts a text and returns the status of the answer and, if that is 201, the post.
func (c *Client) Publish(ctx context.Context, text string) (status int, p feed.Post, err error) {
	status, err = c.do(ctx, http.MethodPost, "/api/posts", fmt.Sprintf(`{"text":%q}`, text), &p)
	return status, p, err
}

// Home returns the first page of the user's feed.
func (c *Client) Home(ctx context.Context) ([]feed.Post, error) {
	var page struct {
		Data []feed.Post `json:"data"`
	}
	status, err := c.do(ctx, http.MethodGet, "/api/home", "", &page)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("web: home: status %d", status)
	}
	return page.Data, err
}

// do sends a request and decodes the answer, if it is a good one.
func (c *Client) do(ctx context.Context, method, path, body string, into any) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+c.name)
	response, err := c.http.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode < 300 {
		err = json.Unmarshal(answer, into)
	}
	return response.StatusCode, err
}
