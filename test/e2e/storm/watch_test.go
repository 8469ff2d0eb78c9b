package storm

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/e2e/storm/invariants"
	"headstart.dev/headstart/test/harness"
)

// limits are those of the invariants.
func limits() invariants.Limits {
	return invariants.Limits{
		Lowest: 0.99, Highest: 1.19,
		// The horizon of the plans, and a clock that is a minute ahead.
		Oldest: 2 * time.Hour, Newest: clockOffset + 10*time.Second,
		CalmAfter: 15 * time.Second, Replicas: base, MemoryMiB: 400, Goroutines: 2500,
		// Every Forecast's poll and evaluation, and what is read again.
		Queries: 2 * tenants * perTenant,
	}
}

// watch returns what checks the invariants.
func (w *world) watch(shared func() (time.Time, bool)) *invariants.Watch {
	o := &invariants.Watch{
		Cluster: cluster{w}, Limits: limits(), Token: w.Config.BearerToken, Timeout: requestTime,
		Shared: shared, Now: w.since,
	}
	for _, s := range w.services {
		o.Services = append(o.Services, invariants.Service{
			Namespace: s.namespace, Name: s.name, Demand: s.demand, Rogue: s.tenant == rogue,
		})
	}
	for _, r := range w.replicas {
		o.Replicas = append(o.Replicas, r)
	}
	return o
}

func insecureClient() *http.Client {
	return &http.Client{Timeout: requestTime, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true,
	}}
}

// Name implements [invariants.Replica].
func (r *replica) Name() string { return r.options.Name }

// Address implements [invariants.Replica].
func (r *replica) Address() string { return r.process().Address }

// Requests implements [invariants.Replica].
func (r *replica) Requests() int64 {
	var n int64
	for _, p := range r.proxies {
		n += p.requests.Load()
	}
	return n
}

// MemoryMiB implements [invariants.Replica].
func (r *replica) MemoryMiB() int {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", r.process().PID()))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}

// cluster reads from the API server.
type cluster struct{ *world }

// HPAs implements [invariants.Cluster].
func (c cluster) HPAs(ctx context.Context) ([]invariants.HPA, error) {
	list, err := c.Client.AutoscalingV2().HorizontalPodAutoscalers("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []invariants.HPA
	for i := range list.Items {
		h := &list.Items[i]
		all = append(all, invariants.HPA{
			Namespace: h.Namespace, Name: h.Name, Desired: h.Status.DesiredReplicas, Current: h.Status.CurrentReplicas,
		})
	}
	return all, nil
}

// Forecast implements [invariants.Cluster].
func (c cluster) Forecast(ctx context.Context, s invariants.Service) (invariants.Forecast, error) {
	f, err := harness.GetForecast(ctx, c.ControlPlane, s.Namespace, s.Name)
	if err != nil {
		return invariants.Forecast{}, err
	}
	var out invariants.Forecast
	if ready := f.Condition("Ready"); ready.Status != metav1.ConditionTrue {
		out.NotReady = fmt.Sprintf("%s, %s: %s", ready.Status, ready.Reason, ready.Message)
	}
	if f.Status.Plan != nil {
		out.PlannedAt = f.Status.Plan.ComputedAt.Time
	}
	return out, nil
}

// Placeholders implements [invariants.Cluster].
func (c cluster) Placeholders(ctx context.Context) (int, error) {
	pods, err := c.Client.CoreV1().Pods("headstart-warm").List(ctx, metav1.ListOptions{})
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp == nil {
			n++
		}
	}
	return n, nil
}
