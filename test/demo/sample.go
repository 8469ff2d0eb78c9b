package main

import (
	"context"
	"math"
	"sync"
	"time"

	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// reading is the state of one service at an instant. A value that could not be read is NaN or nil.
type reading struct {
	simulator.State
	served   float64 // the external metric, as the HPA controller gets it
	forecast *harness.Forecast
}

// sample is a reading of all services.
type sample struct {
	at       time.Time
	services map[string]reading
}

// read takes a sample. What does not answer within a second is left out.
func read(ctx context.Context, w *harness.World) sample {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s := sample{at: time.Now(), services: map[string]reading{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	for _, name := range w.Simulator.Names() {
		all.Go(func() {
			r := reading{State: w.Simulator.State(name), served: math.NaN()}
			if v, err := harness.ExternalMetric(ctx, w.ControlPlane, namespace, name); err == nil {
				r.served = v
			}
			if f, err := harness.GetForecast(ctx, w.ControlPlane, namespace, name); err == nil {
				r.forecast = f
			}
			mu.Lock()
			defer mu.Unlock()
			s.services[name] = r
		})
	}
	all.Wait()
	return s
}
