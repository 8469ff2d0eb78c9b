package clusters

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/watch"
)

const (
	// maxAnswer bounds an answer that is no watch, in bytes.
	maxAnswer = 32 << 20
	// maxEvent bounds an event of a watch. etcd takes objects of 1.5 MiB.
	maxEvent = 4 << 20
	// maxEvents bounds all events of a watch. Then all Forecasts are listed again, so that what a
	// watch adds cannot grow without end.
	maxEvents = 256 << 20
	// answerTime is how long another cluster may take to answer.
	answerTime = 30 * time.Second
	// watchAnswers is how many times as long it may take until a watch begins: some proxies hold an
	// answer back until the first event, and one comes each minute.
	watchAnswers = 3
)

// limited bounds what a server answers. It follows no redirect, which would lead anywhere.
type limited struct {
	next http.RoundTripper
	// full is set when a watch has had maxEvents.
	full *atomic.Bool
}

// RoundTrip implements http.RoundTripper.
func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body := &limitedBody{ReadCloser: resp.Body, most: maxAnswer}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		_ = resp.Body.Close()
		return nil, fmt.Errorf("the cluster redirects, which is not followed: HTTP status %d", resp.StatusCode)
	case resp.StatusCode == http.StatusOK && r.URL.Query().Get("watch") != "":
		body.most, body.values, body.full = maxEvents, &values{}, l.full
	}
	resp.Body = body
	return resp, nil
}

// limitedBody ends with an error when it is too large.
type limitedBody struct {
	io.ReadCloser
	read, most int64
	values     *values // of a watch; else nil
	full       *atomic.Bool
}

// Read implements io.Reader.
func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read += int64(n)
	switch {
	case b.values != nil && !b.values.add(p[:n]):
		return 0, fmt.Errorf("an event of the cluster is larger than %d MiB", maxEvent>>20)
	case b.read > b.most:
		if b.full != nil {
			b.full.Store(true)
			return 0, io.EOF
		}
		return 0, fmt.Errorf("the answer of the cluster is larger than %d MiB", b.most>>20)
	}
	return n, err
}

// values measures the JSON values that follow each other in a stream.
type values struct {
	size, depth      int
	quoted, escaping bool
}

// add reports whether no value is larger than maxEvent.
func (v *values) add(text []byte) bool {
	for _, c := range text {
		v.size++
		switch {
		case v.escaping:
			v.escaping = false
		case v.quoted:
			v.escaping, v.quoted = c == '\\', c != '"'
		case c == '"':
			v.quoted = true
		case c == '{' || c == '[':
			v.depth++
		case c == '}' || c == ']':
			if v.depth--; v.depth == 0 {
				v.size = 0
			}
		}
		if v.size > maxEvent {
			return false
		}
	}
	return true
}

// startWatch begins a watch. It gives up where the server does not answer in time, and ends a watch
// that the server does not end when it was asked to.
func startWatch(
	ctx context.Context, answer, most time.Duration, start func(context.Context) (watch.Interface, error),
) (watch.Interface, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, most, fmt.Errorf("the watch did not end within %s", most))
	late := time.AfterFunc(answer, cancel)
	events, err := start(ctx)
	switch inTime := late.Stop(); {
	case err != nil && !inTime:
		err = fmt.Errorf("no answer within %s", answer)
	case err == nil && !inTime:
		events.Stop()
		err = fmt.Errorf("no answer within %s", answer)
	}
	if err != nil {
		cancel()
		return nil, err
	}
	return endingWatch{Interface: events, cancel: cancel}, nil
}

// endingWatch frees what a watch holds when it is stopped.
type endingWatch struct {
	watch.Interface
	cancel context.CancelFunc
}

// Stop implements watch.Interface.
func (w endingWatch) Stop() {
	w.Interface.Stop()
	w.cancel()
}
