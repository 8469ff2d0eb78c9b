package harness

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
)

// ServeOptions are flags of headstart serve.
type ServeOptions struct {
	// Name of the process and its log.
	Name string
	// Port of the metrics APIs.
	Port int
	// Host is the address to listen on; 127.0.0.1 when it is empty.
	Host string
	// Doors are the flags of what is served; both metrics APIs when there are none.
	Doors []string
	// Sources are the URLs of the Prometheus servers, by the name that Forecasts use.
	Sources map[string]string
	// APIServer is the URL of the API server, if it is reached by another way than the control
	// plane's.
	APIServer string
	// HPASync, PlanRefresh and ObserveInterval are the flags of these names.
	HPASync, PlanRefresh, ObserveInterval time.Duration
	// WritesPerHour is --plan-writes-per-hour.
	WritesPerHour int
	// ClockOffset moves the clock of the process. It needs [binaries.WithMovedClock].
	ClockOffset time.Duration
	// Args are appended, so they win.
	Args []string
}

// CompressedTime returns options for tests in which a day lasts minutes: what takes minutes in a
// cluster takes seconds.
func CompressedTime(name string, port int, sources map[string]string) ServeOptions {
	return ServeOptions{
		Name: name, Port: port, Sources: sources,
		HPASync: 2 * time.Second, PlanRefresh: 2 * time.Second, ObserveInterval: time.Second, WritesPerHour: 3600,
	}
}

// Headstart is one running replica.
type Headstart struct {
	*controlplane.Process
	// Address of the metrics APIs.
	Address string

	c *controlplane.ControlPlane
}

// Serve starts headstart serve with the permissions of its own ServiceAccount. It does not wait
// until it is ready.
func Serve(
	ctx context.Context, c *controlplane.ControlPlane, layout binaries.Layout, o ServeOptions,
) (*Headstart, error) {
	server := o.APIServer
	if server == "" {
		server = c.Config.Host
	}
	kubeconfig, err := c.ServiceAccountKubeconfigAt(ctx, Namespace, Name, server)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	sources := filepath.Join(c.Dir, o.Name+"-sources.yaml")
	var content strings.Builder
	content.WriteString("sources:\n")
	for _, name := range slices.Sorted(maps.Keys(o.Sources)) {
		fmt.Fprintf(&content, "- {name: %s, url: %q, namespaces: [\"*\"]}\n", name, o.Sources[name])
	}
	if err := os.WriteFile(sources, []byte(content.String()), 0o644); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.Name, err)
	}
	host, doors := cmp.Or(o.Host, "127.0.0.1"), o.Doors
	if len(doors) == 0 {
		doors = []string{"--external-metrics", "--custom-metrics"}
	}
	args := append([]string{
		"serve", "--kubeconfig=" + kubeconfig, "--prometheus-config=" + sources,
		"--namespace=" + Namespace, "--service-name=" + Name,
		"--bind-address=" + host, "--secure-port=" + strconv.Itoa(o.Port), "--leader-elect",
		"--plan-refresh=" + o.PlanRefresh.String(), "--plan-writes-per-hour=" + strconv.Itoa(o.WritesPerHour),
		"--observe-interval=" + o.ObserveInterval.String(), "--hpa-sync-period=" + o.HPASync.String(),
		"--shutdown-delay=0s",
	}, slices.Concat(doors, o.Args)...)
	var env []string
	program := "headstart"
	if o.ClockOffset != 0 {
		program, env = binaries.MovedClock, []string{binaries.ClockVariable + "=" + o.ClockOffset.String()}
	}
	p, err := c.RunWith(env, o.Name, filepath.Join(layout.Bin, program), args, 5*time.Second)
	if err != nil {
		return nil, err
	}
	return &Headstart{Process: p, Address: net.JoinHostPort(host, strconv.Itoa(o.Port)), c: c}, nil
}

// Get reads a path of this replica itself, with the rights of the control plane's administrator.
func (h *Headstart) Get(ctx context.Context, path string) ([]byte, error) {
	return fetch(ctx, insecure(), "https://"+h.Address+path, h.c.Config.BearerToken)
}

// AwaitReady waits until the replica is ready to serve, for at most the deadline.
func (h *Headstart) AwaitReady(ctx context.Context, deadline time.Duration) error {
	client := insecure()
	return h.await(ctx, deadline, "is not ready", func(ctx context.Context) error {
		_, err := fetch(ctx, client, "https://"+h.Address+"/readyz", h.c.Config.BearerToken)
		return err
	})
}

// await polls until check returns nil, the process ends, or the deadline passes.
func (h *Headstart) await(
	ctx context.Context, deadline time.Duration, what string, check func(context.Context) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	last := errors.New("not asked")
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-h.Done():
			return fmt.Errorf("%s ended; the end of its log:\n%s", h.Name(), h.Tail())
		case <-ctx.Done():
			return fmt.Errorf("%s %s after %s: %w; the end of its log:\n%s", h.Name(), what, deadline, last, h.Tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Direct reads an external metric from this replica itself, over TLS, with the certificate of the
// Service's name.
func (h *Headstart) Direct(ctx context.Context, namespace, name string) (float64, error) {
	ca, err := CABundle(ctx, h.c)
	if err != nil {
		return 0, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return 0, errors.New("the APIService has no CA bundle yet")
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: pool, ServerName: Name + "." + Namespace + ".svc"},
		DisableKeepAlives: true,
	}}
	body, err := fetch(ctx, client, "https://"+h.Address+externalPath(namespace, name), h.c.Config.BearerToken)
	if err != nil {
		return 0, err
	}
	return oneValue(body)
}

// Metrics returns what the replica answers at /metrics.
func (h *Headstart) Metrics(ctx context.Context) (string, error) {
	text, err := fetch(ctx, insecure(), "https://"+h.Address+"/metrics", h.c.Config.BearerToken)
	if err != nil {
		return "", fmt.Errorf("scrape %s: %w", h.Address, err)
	}
	return string(text), nil
}

// Owner returns the replica that plans for a Forecast: the one that has metrics of the plan.
func Owner(ctx context.Context, replicas []*Headstart, namespace, name string) (*Headstart, error) {
	const metric = `(?m)^headstart_forecast_plan_end_timestamp_seconds\{forecast=%q,namespace=%q\}`
	owns := regexp.MustCompile(fmt.Sprintf(metric, name, namespace))
	for _, h := range replicas {
		metrics, err := h.Metrics(ctx)
		if err != nil {
			return nil, fmt.Errorf("look for the owner of %s/%s: %w", namespace, name, err)
		}
		if owns.MatchString(metrics) {
			return h, nil
		}
	}
	return nil, fmt.Errorf("no replica plans for %s/%s", namespace, name)
}

// insecure returns a client that does not verify certificates.
func insecure() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true,
	}}
}

// CABundle returns the PEM with which the API server verifies Headstart's certificate.
func CABundle(ctx context.Context, c *controlplane.ControlPlane) ([]byte, error) {
	body, err := c.Client.Discovery().RESTClient().Get().
		AbsPath("/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.external.metrics.k8s.io").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the CA bundle: %w", err)
	}
	var api struct {
		Spec struct {
			CABundle []byte `json:"caBundle"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(body, &api); err != nil {
		return nil, fmt.Errorf("read the CA bundle: %w", err)
	}
	return api.Spec.CABundle, nil
}

// ExternalMetric reads an external metric from the API server, as the HPA controller does.
func ExternalMetric(ctx context.Context, c *controlplane.ControlPlane, namespace, name string) (float64, error) {
	body, err := c.Client.Discovery().RESTClient().Get().AbsPath(externalPath(namespace, name)).DoRaw(ctx)
	if err != nil {
		return 0, err
	}
	return oneValue(body)
}

func externalPath(namespace, name string) string {
	return "/apis/external.metrics.k8s.io/v1beta1/namespaces/" + namespace + "/" + name
}

func oneValue(body []byte) (float64, error) {
	var list struct {
		Items []struct {
			Value resource.Quantity `json:"value"`
		} `json:"items"`
	}
	if err := json.Unmarshal(body, &list); err != nil {
		return 0, fmt.Errorf("read a metric: %w", err)
	}
	if len(list.Items) != 1 {
		return 0, fmt.Errorf("read a metric: %d items, want exactly one", len(list.Items))
	}
	return list.Items[0].Value.AsApproximateFloat64(), nil
}

func fetch(ctx context.Context, client *http.Client, url, token string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s: %.300s", url, resp.Status, body)
	}
	return body, nil
}
