package controlplane

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// PrometheusOptions say what Prometheus scrapes, and which samples it starts with.
type PrometheusOptions struct {
	// Name of the process, of its log and its folder. The default is "prometheus". Set it if there is
	// more than one.
	Name string
	// Targets are addresses that serve /metrics, such as 127.0.0.1:9100, by the name of their job.
	Targets map[string][]string
	// ScrapeInterval of all jobs. The default is one second.
	ScrapeInterval time.Duration
	// Lookback is the maximum age of a sample that counts as the present one. The default is three
	// scrape intervals.
	Lookback time.Duration
	// History, if set, writes the samples that Prometheus starts with, as OpenMetrics text. It is
	// called just before Prometheus starts, so the samples can reach up to now.
	History func(path string) error
}

// Prometheus is a server with its data. The data outlive the process, which may be killed and
// started again.
type Prometheus struct {
	// URL of the server.
	URL string

	c    *ControlPlane
	name string
	args []string
	mu   sync.Mutex
	proc *Process
}

// Kill kills the server, as a crash would.
func (p *Prometheus) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.proc.Kill()
}

// Start starts the server again after Kill, on the same port and with the same data, and waits
// until it answers.
func (p *Prometheus) Start(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.proc != nil {
		select {
		case <-p.proc.done:
		default:
			return fmt.Errorf("start %s: it runs already", p.name)
		}
	}
	proc, err := p.c.run(program{
		name: p.name, path: filepath.Join(p.c.opts.Bin, "prometheus"), args: p.args,
	}, 5*time.Second)
	if err != nil {
		return err
	}
	p.proc = proc
	return proc.await(ctx, p.c.opts.ReadyWithin, get(http.DefaultClient, p.URL+"/-/ready", ""))
}

func (c *ControlPlane) startPrometheus(ctx context.Context) error {
	p, err := c.StartPrometheus(ctx, *c.opts.Prometheus)
	c.Prometheus = p
	return err
}

// StartPrometheus starts a Prometheus: an additional one, or one whose options are not known before
// Start.
func (c *ControlPlane) StartPrometheus(ctx context.Context, o PrometheusOptions) (*Prometheus, error) {
	if o.Name == "" {
		o.Name = "prometheus"
	}
	if o.ScrapeInterval == 0 {
		o.ScrapeInterval = time.Second
	}
	if o.Lookback == 0 {
		o.Lookback = 3 * o.ScrapeInterval
	}
	data := filepath.Join(c.Dir, o.Name)
	if err := os.MkdirAll(data, 0o755); err != nil {
		return nil, fmt.Errorf("make a folder for prometheus: %w", err)
	}
	config := filepath.Join(c.Dir, o.Name+".yaml")
	if err := o.writeConfig(config); err != nil {
		return nil, err
	}
	ports, err := FreePorts(1)
	if err != nil {
		return nil, err
	}
	if o.History != nil {
		if err := c.preload(ctx, o.History, data); err != nil {
			return nil, err
		}
	}
	p := &Prometheus{URL: httpURL(ports[0]), c: c, name: o.Name, args: []string{
		"--config.file=" + config, "--storage.tsdb.path=" + data,
		fmt.Sprintf("--web.listen-address=127.0.0.1:%d", ports[0]),
		"--query.lookback-delta=" + o.Lookback.String(),
		"--log.level=warn",
	}}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

func (o PrometheusOptions) writeConfig(path string) error {
	type object = map[string]any
	var jobs []object
	for name, targets := range o.Targets {
		jobs = append(jobs, object{"job_name": name, "static_configs": []object{{"targets": targets}}})
	}
	config, err := yaml.Marshal(object{
		"global": object{"scrape_interval": o.ScrapeInterval.String(), "scrape_timeout": o.ScrapeInterval.String()},
		// Longer than any preloaded history: samples beyond the retention are dropped at the next
		// compaction.
		"storage":        object{"tsdb": object{"retention": object{"time": "10y"}}},
		"scrape_configs": jobs,
	})
	if err != nil {
		return fmt.Errorf("write the configuration of prometheus: %w", err)
	}
	if err := os.WriteFile(path, config, 0o644); err != nil {
		return fmt.Errorf("write the configuration of prometheus: %w", err)
	}
	return nil
}

// preload writes samples as blocks of the time series database, with Prometheus' own tool.
func (c *ControlPlane) preload(ctx context.Context, history func(string) error, data string) error {
	samples := filepath.Join(c.Dir, "history.openmetrics")
	if err := history(samples); err != nil {
		return fmt.Errorf("write the history for prometheus: %w", err)
	}
	// The tool reads the whole file for each block, so a few large blocks are made much sooner.
	cmd := exec.CommandContext(ctx, filepath.Join(c.opts.Bin, "promtool"), "tsdb", "create-blocks-from",
		"--max-block-duration=744h", "openmetrics", "--quiet", samples, data)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make blocks of the history: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return os.Remove(samples)
}
