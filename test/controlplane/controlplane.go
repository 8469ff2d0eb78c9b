package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A ControlPlane is a set of running processes. Stop ends them.
type ControlPlane struct {
	// Config of the administrator.
	Config *rest.Config
	// Kubeconfig is a file with the administrator's credentials.
	Kubeconfig string
	// Client of the administrator.
	Client kubernetes.Interface
	// Prometheus, if the options have one.
	Prometheus *Prometheus
	// Dir is the state folder. The logs are in its folder "logs".
	Dir string

	opts      Options
	creds     *credentials
	etcd      string  // URL
	apiServer program // as it was started
	spawner   *spawner

	mu      sync.Mutex
	running []*running // in the order in which they were started
	stopped bool
}

// running is a process and its grace period.
type running struct {
	*Process
	grace time.Duration
}

// Start starts everything and returns once it can be used. If that fails, or ctx ends before,
// everything is stopped, and the error has the end of the log that explains it.
func Start(ctx context.Context, opts Options) (*ControlPlane, error) {
	if err := opts.validate(); err != nil {
		return nil, err
	}
	const attempts = 3
	for attempt := 1; ; attempt++ {
		c, err := start(ctx, opts)
		// FreePorts finds ports that are free now, so another program may take one before it is used.
		if err == nil || attempt == attempts || !strings.Contains(err.Error(), "address already in use") {
			return c, err
		}
		fmt.Fprintln(opts.Log, "a port was taken by another process; starting again on other ports")
	}
}

func start(ctx context.Context, opts Options) (_ *ControlPlane, err error) {
	dir, err := os.MkdirTemp(opts.StateRoot, "headstart-control-plane-")
	if err != nil {
		return nil, fmt.Errorf("make a state folder: %w", err)
	}
	c := &ControlPlane{Dir: dir, opts: opts, spawner: newSpawner()}
	defer func() {
		if r := recover(); r != nil {
			c.Stop()
			panic(r)
		}
		if err != nil {
			c.Stop()
		}
	}()
	if err := os.MkdirAll(c.logs(), 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for logs: %w", err)
	}
	if c.creds, err = writeCredentials(filepath.Join(dir, "pki")); err != nil {
		return nil, fmt.Errorf("make certificates: %w", err)
	}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"etcd", c.startEtcd},
		{"kube-apiserver", c.startAPIServer},
		{"controllers", c.startControllers},
		{"nodes", c.makeNodes},
		{"prometheus", c.startPrometheus},
	} {
		if step.name == "prometheus" && opts.Prometheus == nil {
			continue
		}
		began := time.Now()
		if err := step.run(ctx); err != nil {
			return nil, fmt.Errorf("start the control plane: %w", err)
		}
		fmt.Fprintf(opts.Log, "%s up after %.1f s\n", step.name, time.Since(began).Seconds())
	}
	return c, nil
}

// Stop ends every process, the last started first, and removes the state folder. It may be called
// more than once.
func (c *ControlPlane) Stop() {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return
	}
	c.stopped = true
	procs := c.running
	c.mu.Unlock()
	for _, p := range slices.Backward(procs) {
		p.Stop(p.grace)
	}
	c.spawner.close()
	if !c.opts.KeepState {
		_ = os.RemoveAll(c.Dir)
	}
}

// Run starts another program that ends with the control plane. It is stopped before the control
// plane's own programs, within the grace period. Its log is name.log.
func (c *ControlPlane) Run(name, path string, args []string, grace time.Duration) (*Process, error) {
	return c.RunWith(nil, name, path, args, grace)
}

// RunWith is [ControlPlane.Run] with additions to the environment.
func (c *ControlPlane) RunWith(
	env []string, name, path string, args []string, grace time.Duration,
) (*Process, error) {
	return c.run(program{name: name, path: path, args: args, env: env}, grace)
}

func (c *ControlPlane) run(p program, grace time.Duration) (*Process, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return nil, fmt.Errorf("start %s: %w", p.name, errStopped)
	}
	p.logs = c.logs()
	if p.path == "" {
		p.path = filepath.Join(c.opts.Bin, p.name)
	}
	proc, err := c.spawner.start(p)
	if err != nil {
		return nil, err
	}
	c.running = append(c.running, &running{proc, grace})
	return proc, nil
}

var errStopped = errors.New("the control plane was stopped")

func (c *ControlPlane) logs() string { return filepath.Join(c.Dir, "logs") }

// Failed returns an error with the end of the log if one of the control plane's own programs has
// ended, and nil while all run. It ignores Prometheus and programs that were started with Run: the
// caller watches those.
func (c *ControlPlane) Failed() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.running {
		if !isOwn(p.name) {
			continue
		}
		select {
		case <-p.done:
			return p.exited()
		default:
		}
	}
	return nil
}

func isOwn(name string) bool {
	switch name {
	case "etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok":
		return true
	}
	return false
}
