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

// A target is an adapter and the paths to request from it.
type target struct {
	name   string
	url    string
	paths  []string
	token  string
	tls    *tls.Config
	accept string
}

// result of one run.
type result struct {
	perSecond     float64
	p50, p99, max time.Duration
}

// connections is the number of concurrent clients, each with a connection of its own.
const connections = 8

// run requests the paths in turn until the time is over. Every response must be a value.
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
	all := slices.Concat(took...)
	slices.Sort(all)
	return result{
		perSecond: float64(len(all)) / elapsed.Seconds(),
		p50:       all[len(all)/2],
		p99:       all[len(all)*99/100],
		max:       all[len(all)-1],
	}, nil
}

func (t target) worker(ctx context.Context, offset int, until time.Time) ([]time.Duration, error) {
	client := t.client()
	defer client.CloseIdleConnections()
	took := make([]time.Duration, 0, 1<<16)
	for i := offset; time.Now().Before(until); i += connections {
		began := time.Now()
		if err := t.ask(ctx, client, t.paths[i%len(t.paths)]); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// warmUp requests every path once, so that every permission is cached, as in a running cluster.
func (t target) warmUp(ctx context.Context) error {
	client := t.client()
	defer client.CloseIdleConnections()
	for _, path := range t.paths {
		if err := t.ask(ctx, client, path); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return nil
}

func (t target) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: t.tls}, Timeout: 30 * time.Second}
}

func (t target) ask(ctx context.Context, client *http.Client, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+t.token)
	req.Header.Set("Accept", t.accept)
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || len(body) == 0 {
		return fmt.Errorf("%s answers %s: %.300s", path, resp.Status, body)
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
