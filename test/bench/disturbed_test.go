package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
)

const (
	// autoscalers is how many ask in BenchmarkDisturbed, each of them every 15 seconds.
	autoscalers = 10_000
	// noiseNamespaces is more than the workers of fits, so that all of them are busy.
	noiseNamespaces = 4
	// floodRate is how many made-up tokens come in a second.
	floodRate = 500
)

// BenchmarkDisturbed reports by how much the 99th percentile of each door's latency rises while
// Forecasts are fitted, demand is polled, and made-up tokens come. Requests come at the rate of
// 10,000 autoscalers, each of which asks every 15 seconds.
func BenchmarkDisturbed(b *testing.B) {
	layout, c := cluster(b)
	h := startHistory(b)
	mine := startHeadstart(b, layout, c, h.URL, 5*time.Second)
	for i := range noiseNamespaces {
		namespace := "apiVersion: v1\nkind: Namespace\nmetadata: {name: " + noiseNamespace(i) + "}\n"
		if err := c.Apply(b.Context(), namespace); err != nil {
			b.Fatal(err)
		}
	}
	targets := []target{mine.external, mine.custom, mine.keda}
	calm, disturbed := make([][]result, len(targets)), make([][]result, len(targets))
	for b.Loop() {
		for round := range *rounds {
			for i, t := range targets {
				calm[i] = append(calm[i], measure(b, t, fmt.Sprintf("round %d: %-20s calm      ", round+1, t.name)))
			}
			n := &noise{control: c, doors: mine, history: h, round: round}
			if err := n.start(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i, t := range targets {
				disturbed[i] = append(disturbed[i], measure(b, t, fmt.Sprintf("round %d: %-20s disturbed ", round+1, t.name)))
			}
			if err := n.stop(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	for i, name := range []string{"external", "custom", "keda"} {
		b.ReportMetric(ms(median(calm[i], p99)), name+"-calm-p99-ms")
		b.ReportMetric(ms(median(disturbed[i], p99)), name+"-disturbed-p99-ms")
		b.ReportMetric(ms(median(disturbed[i], p99))/ms(median(calm[i], p99)), name+"-disturbed-p99-ratio")
	}
	b.ReportMetric(0, "ns/op")
}

func measure(b *testing.B, t target, label string) result {
	b.Helper()
	if err := t.warmUp(b.Context()); err != nil {
		b.Fatal(err)
	}
	r, err := t.run(b.Context(), *duration, autoscalers/pollInterval.Seconds())
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(os.Stderr, label+r.String())
	return r
}

func noiseNamespace(i int) string { return "noise-" + strconv.Itoa(i) }

// demandYAML is a Forecast with history to fit.
const demandYAML = `{
"apiVersion": "headstart.dev/v1alpha1", "kind": "Forecast", "metadata": {"name": %[1]q},
"spec": {
  "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": %[1]q},
  "demand": {"prometheus": {"query": "sum(load) * %[2]d"}}, "provisionFor": {"serviceLevel": "0.99"}
}}`

// noise makes new Forecasts all the time, as many as are fitted, and sends made-up tokens.
type noise struct {
	control *controlplane.ControlPlane
	doors   doors
	history *historyServer
	round   int

	cancel  context.CancelFunc
	running sync.WaitGroup
	made    int // Forecasts of each namespace
	flooded int
	err     error
	// fitted and polled are what there was at the start.
	fitted int
	polled int64
}

// start returns when fits have begun.
func (n *noise) start(ctx context.Context) error {
	for range 3 {
		if err := n.more(ctx); err != nil {
			return err
		}
	}
	for began := time.Now(); n.fitted == 0; time.Sleep(100 * time.Millisecond) {
		if time.Since(began) > patience {
			return fmt.Errorf("no Forecast is fitted within %s", patience)
		}
		var err error
		if n.fitted, err = n.doors.fitted(ctx, n.round); err != nil {
			return err
		}
	}
	n.polled = n.history.polls.Load()
	ctx, n.cancel = context.WithCancel(ctx)
	n.running.Go(func() { n.flooded = n.doors.flood(ctx) })
	n.running.Go(func() {
		if err := n.refill(ctx); ctx.Err() == nil {
			n.err = err
		}
	})
	return nil
}

// refill keeps some Forecasts waiting for their fit, until ctx ends.
func (n *noise) refill(ctx context.Context) error {
	for {
		done, err := n.doors.fitted(ctx, n.round)
		if err == nil && noiseNamespaces*n.made-done < 2*noiseNamespaces {
			err = n.more(ctx)
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// more makes one more Forecast in each namespace.
func (n *noise) more(ctx context.Context) error {
	n.made++
	for i := range noiseNamespaces {
		name := fmt.Sprintf("noise-%d-%d", n.round, n.made)
		if err := create(ctx, n.control, noiseNamespace(i), fmt.Sprintf(demandYAML, name, n.made)); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all, says what was done, and removes the Forecasts.
func (n *noise) stop(ctx context.Context) error {
	n.cancel()
	n.running.Wait()
	fitted, err := n.doors.fitted(ctx, n.round)
	fmt.Fprintf(os.Stderr, "meanwhile: %d Forecasts fitted, %d polls, %d made-up tokens\n", fitted-n.fitted,
		n.history.polls.Load()-n.polled, n.flooded)
	err = errors.Join(err, n.err)
	for i := range noiseNamespaces {
		err = errors.Join(err, n.control.Client.Discovery().RESTClient().Delete().
			AbsPath("/apis/headstart.dev/v1alpha1/namespaces/"+noiseNamespace(i)+"/forecasts").Do(ctx).Error())
	}
	time.Sleep(5 * time.Second) // for the last fits
	return err
}

// flood sends requests with tokens that nobody has issued, and returns how many.
func (d doors) flood(ctx context.Context) (sent int) {
	client := web{tls: d.tls}.client()
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second / floodRate)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return sent
		case <-tick.C:
		}
		header := http.Header{"Authorization": {"Bearer made-up-" + strconv.Itoa(sent)}}
		if _, _, err := get(ctx, client, d.url+externalAPI+namespace+"/"+metric(0), header); err == nil {
			sent++
		}
	}
}

// fitted returns how many Forecasts of a round have a model.
func (d doors) fitted(ctx context.Context, round int) (int, error) {
	status, body, err := get(ctx, http.DefaultClient, d.metrics, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return 0, fmt.Errorf("read the metrics of Headstart: %w", err)
	}
	return bytes.Count(body, fmt.Appendf(nil, "\nheadstart_forecast_skill{forecast=\"noise-%d-", round)), nil
}
