package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A target is a door and what to request from it.
type target struct {
	name string
	// size is the number of different requests.
	size int
	// connect returns a client with a connection of its own.
	connect func() (caller, error)
}

// A caller makes the i-th request. An answer that is not a value is an error.
type caller interface {
	ask(ctx context.Context, i int) error
	close()
}

// result of one run.
type result struct {
	perSecond     float64
	p50, p99, max time.Duration
}

// connections is the number of concurrent clients, each with a connection of its own.
const connections = 8

// run makes the requests in turn until the time is over.
func (t target) run(ctx context.Context, duration time.Duration) (result, error) {
	var (
		workers sync.WaitGroup
		took    = make([][]time.Duration, connections)
		errs    = make([]error, connections)
		began   = time.Now()
	)
	for w := range connections {
		workers.Go(func() { took[w], errs[w] = t.worker(ctx, w, began.Add(duration)) })
	}
	workers.Wait()
	elapsed := time.Since(began)
	if err := errors.Join(errs...); err != nil {
		return result{}, fmt.Errorf("%s: %w", t.name, err)
	}
	return summarise(slices.Concat(took...), elapsed), nil
}

// summarise sorts the latencies of a run.
func summarise(all []time.Duration, elapsed time.Duration) result {
	slices.Sort(all)
	return result{
		perSecond: float64(len(all)) / elapsed.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
		max:       all[len(all)-1],
	}
}

func (t target) worker(ctx context.Context, offset int, until time.Time) ([]time.Duration, error) {
	client, err := t.connect()
	if err != nil {
		return nil, err
	}
	defer client.close()
	took := make([]time.Duration, 0, 1<<16)
	for i := offset; time.Now().Before(until); i += connections {
		began := time.Now()
		if err := client.ask(ctx, i%t.size); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// warmUp makes every request once, so that every permission is cached, as in a running cluster.
func (t target) warmUp(ctx context.Context) error {
	client, err := t.connect()
	if err != nil {
		return err
	}
	defer client.close()
	for i := range t.size {
		if err := client.ask(ctx, i); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

// web has the requests of a metrics API, and what they need.
type web struct {
	url    string
	paths  []string
	token  string
	tls    *tls.Config
	accept string
}

func (w web) target(name string) target {
	return target{name: name, size: len(w.paths), connect: func() (caller, error) {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: w.tls}, Timeout: 30 * time.Second}
		return webCaller{w, client}, nil
	}}
}

type webCaller struct {
	web
	client *http.Client
}

func (c webCaller) close() { c.client.CloseIdleConnections() }

func (c webCaller) ask(ctx context.Context, i int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url+c.paths[i], nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", c.accept)
	resp, err := c.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(body) == 0 {
		return fmt.Errorf("%s answers %s: %.300s", c.paths[i], resp.Status, body)
	}
	return nil
}

// median of one figure over all runs.
func median[T ~int64 | ~float64](runs []result, figure func(result) T) T {
	values := make([]T, len(runs))
	for i, r := range runs {
		values[i] = figure(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
