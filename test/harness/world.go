package harness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/simulator"
)

// WorldOptions are the options of a World.
type WorldOptions struct {
	// Layout says where the binaries are.
	Layout binaries.Layout
	// Log gets a line for each step of the set-up.
	Log io.Writer
	// ControlPlane has the options of the control plane.
	ControlPlane controlplane.Options
	// Step of the demand, and its values in requests per second. The first Past values are the history
	// that Prometheus starts with. The others are offered live.
	Step   time.Duration
	Values []float64
	Past   int
	// SetUp is the minimum time from the start of the simulator to the first live value. The rest of
	// the set-up happens in this time, in which the last values of the past are offered live. It is
	// longer if the control plane took long to start.
	SetUp time.Duration
	// Services under load, at least one. Their Replicas are set to what the demand needs at the start.
	Services []Service
	// Sources are the names of the Prometheus servers. The default is one with the name "default".
	Sources []string
	// Adapters is the number of replicas of headstart serve behind one port. The default is one.
	Adapters int
	// Components of the manifests to install beside the metrics APIs, and more flags of headstart
	// serve.
	Components, ServeArgs []string
	// KEDA runs KEDA, which owns external.metrics.k8s.io. Headstart then serves KEDA only, each replica
	// at an address of its own, and the services are ScaledObjects.
	KEDA bool
}

// setUpShare is the time for the rest of the set-up, as a multiple of the time that the control
// plane took to start. On a fast machine the rest takes four times as long, most of which is a
// fixed warm-up.
const setUpShare = 6

// World is a control plane with Headstart and simulated services under load.
type World struct {
	*controlplane.ControlPlane
	Options WorldOptions
	// Simulator offers the demand.
	Simulator *simulator.Simulator
	// Demand is the timeline.
	Demand *simulator.Demand
	// Start is the beginning of the first live value.
	Start time.Time
	// Sources are the Prometheus servers by name.
	Sources map[string]*controlplane.Prometheus
	// Adapters are the replicas of headstart serve, behind Forwarder.
	Adapters []*Headstart
	// Forwarder is the port that the API server connects to; nil with KEDA.
	Forwarder *Forwarder
	// KEDA is the running KEDA, and Scaler the address of Headstart's scaler, for triggers; nil and
	// empty without KEDA.
	KEDA   *KEDA
	Scaler string

	dns *DNS

	setUp         time.Duration  // time for the set-up
	serve         []ServeOptions // of the adapters
	stopSimulator func()
	stopped       sync.Once
}

// NewWorld creates a World and returns once every service has its replicas ready and its Forecast
// is Ready. If that fails, or ctx ends before, everything is stopped.
func NewWorld(ctx context.Context, o WorldOptions) (_ *World, err error) {
	if len(o.Sources) == 0 {
		o.Sources = []string{"default"}
	}
	o.Adapters = max(o.Adapters, 1)
	w := &World{Options: o, Sources: map[string]*controlplane.Prometheus{}, stopSimulator: func() {}}
	defer func() {
		if r := recover(); r != nil {
			w.Stop()
			panic(r)
		}
		if err != nil {
			w.Stop()
		}
	}()
	began := time.Now()
	if w.ControlPlane, err = controlplane.Start(ctx, o.ControlPlane); err != nil {
		return nil, err
	}
	w.setUp = max(o.SetUp, setUpShare*time.Since(began))
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"load simulator", w.startSimulator},
		{"prometheus with its history", w.startPrometheus},
		{"headstart", w.startDoor},
		{"services", w.applyServices},
		{"first plans", w.awaitServices},
	} {
		began := time.Now()
		if err := step.run(ctx); err != nil {
			return nil, err
		}
		fmt.Fprintf(o.Log, "%s up after %.1f s\n", step.name, time.Since(began).Seconds())
	}
	return w, nil
}

// Stop ends everything.
func (w *World) Stop() {
	w.stopped.Do(func() {
		// The simulator may stop before those that scrape it: the accounts have been read.
		w.stopSimulator()
		if w.ControlPlane != nil {
			w.ControlPlane.Stop()
		}
		if w.Forwarder != nil {
			w.Forwarder.Close()
		}
		if w.dns != nil {
			w.dns.Close()
		}
	})
}

// Failed returns an error with the end of the log if a program of the control plane has ended. It
// ignores adapters and Prometheus servers, which tests kill on purpose.
func (w *World) Failed() error { return w.ControlPlane.Failed() }

func (w *World) startSimulator(ctx context.Context) error {
	services := make([]simulator.Service, len(w.Options.Services))
	for i, s := range w.Options.Services {
		services[i] = simulator.Service{Name: s.Name, Capacity: s.Capacity, Objective: s.Objective}
	}
	sim, err := simulator.New(w.Options.Services[0].Namespace, services...)
	if err != nil {
		return err
	}
	step := w.Options.Step
	// The steps of the series that Headstart reads are multiples of the resolution since the epoch, so
	// those of the demand are, too.
	w.Start = time.Now().Add(w.setUp + step).Truncate(step)
	begin := w.Start.Add(-time.Duration(w.Options.Past) * step)
	if w.Demand, err = simulator.NewDemand(begin, step, w.Options.Values); err != nil {
		return err
	}
	w.Simulator = sim
	// The simulator outlives ctx, which is for the set-up.
	run, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- sim.Run(run, w.Client, w.Demand) }()
	w.stopSimulator = func() {
		cancel()
		if err := <-ended; err != nil {
			fmt.Fprintf(w.Options.Log, "the simulator failed: %v\n", err)
		}
	}
	return nil
}

func (w *World) startPrometheus(ctx context.Context) error {
	for _, name := range w.Options.Sources {
		p, err := w.StartPrometheus(ctx, controlplane.PrometheusOptions{
			Name:    "prometheus-" + name,
			Targets: map[string][]string{simulator.Job: {w.Simulator.Address()}},
			History: func(path string) error {
				return simulator.WriteHistory(path, w.Demand, w.Simulator.Names(), w.Simulator.Address(), time.Now(), time.Second,
					w.queues()...)
			},
		})
		if err != nil {
			return err
		}
		w.Sources[name] = p
	}
	return nil
}

// queues returns the services with a queue.
func (w *World) queues() []simulator.Service {
	var out []simulator.Service
	for _, s := range w.Options.Services {
		if s.Objective > 0 {
			out = append(out, simulator.Service{Name: s.Name, Capacity: s.Capacity, Objective: s.Objective})
		}
	}
	return out
}

func (w *World) startDoor(ctx context.Context) error {
	if w.Options.KEDA {
		return w.startWithKEDA(ctx)
	}
	return w.startHeadstart(ctx)
}

func (w *World) startHeadstart(ctx context.Context) error {
	ports, err := controlplane.FreePorts(1 + w.Options.Adapters)
	if err != nil {
		return err
	}
	if err := Install(ctx, w.ControlPlane, w.Options.Layout, "both", ports[0], w.Options.Components...); err != nil {
		return err
	}
	sources := map[string]string{}
	for name, p := range w.Sources {
		sources[name] = p.URL
	}
	var addresses []string
	for i, port := range ports[1:] {
		o := CompressedTime(fmt.Sprintf("headstart-%d", i), port, sources)
		o.HPASync, o.Args = w.Options.ControlPlane.HPASyncPeriod, w.Options.ServeArgs
		h, err := Serve(ctx, w.ControlPlane, w.Options.Layout, o)
		if err != nil {
			return err
		}
		w.serve, w.Adapters = append(w.serve, o), append(w.Adapters, h)
		addresses = append(addresses, h.Address)
	}
	if w.Forwarder, err = Forward(ports[0], addresses...); err != nil {
		return err
	}
	for _, h := range w.Adapters {
		if err := h.AwaitReady(ctx, 3*time.Minute); err != nil {
			return err
		}
	}
	for _, group := range []string{"external", "custom"} {
		if err := w.AwaitAPIService(ctx, "v1beta1."+group+".metrics.k8s.io", 3*time.Minute); err != nil {
			return fmt.Errorf("%w; the end of the log of %s:\n%s", err, w.Adapters[0].Name(), w.Adapters[0].Tail())
		}
	}
	return nil
}

func (w *World) applyServices(ctx context.Context) error {
	for _, s := range w.Options.Services {
		s.Replicas = max(s.Min, int(math.Ceil(w.Demand.At(time.Now())/s.Capacity)))
		if w.Options.KEDA {
			s.Scaler, s.Prometheus = w.Scaler, w.Sources["default"].URL
		}
		if err := s.Apply(ctx, w.ControlPlane); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) awaitServices(ctx context.Context) error {
	for _, s := range w.Options.Services {
		if _, err := AwaitForecast(ctx, w.ControlPlane, s.Namespace, s.Name, 4*time.Minute, Ready); err != nil {
			return fmt.Errorf("%w\nthe end of the log of %s:\n%s", err, w.Adapters[0].Name(), w.Adapters[0].Tail())
		}
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 4*time.Minute, true,
			func(context.Context) (bool, error) {
				state := w.Simulator.State(s.Name)
				return state.Ready > 0 && state.Ready >= min(state.Wanted, state.Created), w.Failed()
			})
		if err != nil {
			return fmt.Errorf("service %s has %+v: %w", s.Name, w.Simulator.State(s.Name), err)
		}
	}
	return nil
}

// ErrLate is the error of AwaitStart if the set-up took too long.
var ErrLate = errors.New("the set-up took longer than the time it was given")

// AwaitStart waits for the first live value.
func (w *World) AwaitStart(ctx context.Context) error {
	left := time.Until(w.Start)
	if left < 0 {
		return fmt.Errorf("%w: %s late", ErrLate, -left.Round(time.Second))
	}
	return sleep(ctx, left)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
