package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"time"
)

// web has the requests of a metrics API, and what they need.
type web struct {
	url    string
	paths  []string
	tls    *tls.Config
	header http.Header
}

// asProxy returns the requests of a user as the API server's aggregator makes them.
func asProxy(url string, config *tls.Config, proxy tls.Certificate, user, group string) web {
	config.Certificates = []tls.Certificate{proxy}
	return web{url: url, tls: config, header: http.Header{
		"X-Remote-User": {user}, "X-Remote-Group": {group, "system:authenticated"}, "Accept": {protobuf},
	}}
}

// of returns the same for other paths.
func (w web) of(paths []string) web {
	w.paths = paths
	return w
}

func (w web) target(name string) target {
	return target{name: name, size: len(w.paths), connect: func() (caller, error) {
		return webCaller{w, w.client()}, nil
	}}
}

// client returns a client with connections of its own. It has HTTP/2, as the aggregator has.
func (w web) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{TLSClientConfig: w.tls.Clone(), ForceAttemptHTTP2: true}, Timeout: 30 * time.Second,
	}
}

type webCaller struct {
	web
	client *http.Client
}

func (c webCaller) close() { c.client.CloseIdleConnections() }

func (c webCaller) ask(ctx context.Context, i int) error {
	status, body, err := get(ctx, c.client, c.url+c.paths[i], c.header)
	if err != nil {
		return err
	}
	if status != http.StatusOK || len(body) == 0 {
		return fmt.Errorf("%s answers %d: %.300s", c.paths[i], status, body)
	}
	return nil
}

// get reads an answer to its end, so that the connection is used again.
func get(ctx context.Context, client *http.Client, url string, header http.Header) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}
