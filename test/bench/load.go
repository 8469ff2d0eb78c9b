package bench

import (
	"context"
	"errors"
	"fmt"
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

func (r result) String() string {
	return fmt.Sprintf("%7.0f/s  p50 %6.3f ms  p99 %6.3f ms  max %6.1f ms", r.perSecond, ms(r.p50), ms(r.p99), ms(r.max))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// connections is the number of concurrent clients, each with a connection of its own.
const connections = 8

// run makes the requests in turn until the time is over. They follow each other at once, or with a
// rate come at fixed times, so many a second. A latency then begins at the time when the request was
// due.
func (t target) run(ctx context.Context, duration time.Duration, rate float64) (result, error) {
	var (
		workers sync.WaitGroup
		clients [connections]caller
		took    = make([][]time.Duration, connections)
		errs    = make([]error, connections)
	)
	for w := range clients {
		client, err := t.connect()
		if err != nil {
			return result{}, err
		}
		defer client.close()
		if err := client.ask(ctx, w%t.size); err != nil { // connects
			return result{}, fmt.Errorf("%s: %w", t.name, err)
		}
		clients[w] = client
	}
	began := time.Now()
	for w, client := range clients {
		workers.Go(func() { took[w], errs[w] = t.worker(ctx, client, w, began, duration, rate) })
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

func (t target) worker(
	ctx context.Context, client caller, offset int, start time.Time, duration time.Duration, rate float64,
) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<16)
	for i := offset; ; i += connections {
		began := time.Now()
		if rate > 0 {
			began = start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
			time.Sleep(time.Until(began))
		}
		if began.Sub(start) >= duration {
			return took, nil
		}
		if err := client.ask(ctx, i%t.size); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
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

// await waits until a target answers every request, for as long as it gets further: a request that
// was refused is made again. It ends when nothing new is answered within the patience.
func (t target) await(ctx context.Context, patience time.Duration) error {
	client, err := t.connect()
	if err != nil {
		return err
	}
	defer client.close()
	last := time.Now()
	for i := 0; i < t.size; {
		err := client.ask(ctx, i)
		if err == nil {
			i, last = i+1, time.Now()
			continue
		}
		if time.Since(last) > patience {
			return fmt.Errorf("%s answers %d of %d requests, and no more within %s: %w", t.name, i, t.size, patience, err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
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

func throughput(r result) float64 { return r.perSecond }

func p99(r result) time.Duration { return r.p99 }
