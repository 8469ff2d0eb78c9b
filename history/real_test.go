package history_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/common/model"

	"headstart.dev/headstart/history"
)

// startPrometheus starts the real one on the samples of an OpenMetrics text, and returns its URL.
func startPrometheus(t *testing.T, openMetrics string) string {
	t.Helper()
	bin, err := filepath.Abs("../bin")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(bin, "prometheus")); err != nil {
		t.Skip("NOTE: bin/prometheus is not built (make test builds it): the real Prometheus is not tested here")
	}
	dir := t.TempDir()
	put(t, dir, "demand.om", openMetrics)
	put(t, dir, "prometheus.yml", "")
	data := filepath.Join(dir, "data")
	blocks := exec.Command(filepath.Join(bin, "promtool"), "tsdb", "create-blocks-from", "openmetrics",
		filepath.Join(dir, "demand.om"), data)
	if out, err := blocks.CombinedOutput(); err != nil {
		t.Fatalf("promtool: %v\n%s", err, out)
	}
	p := exec.Command(filepath.Join(bin, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+data, "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:0")
	logFile := filepath.Join(dir, "log")
	log, err := os.Create(logFile)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close() // the process has its own
	p.Stderr = log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Process.Kill(); _ = p.Wait() })
	var output []byte
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		if output, err = os.ReadFile(logFile); err != nil {
			t.Fatal(err)
		}
		address := listensOn.FindSubmatch(output) // a port of its own choice: nobody can take it first
		if address == nil {
			continue
		}
		url := "http://" + string(address[1])
		if resp, err := http.Get(url + "/-/ready"); err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return url
			}
		}
	}
	t.Fatalf("Prometheus did not start:\n%s", output)
	return ""
}

var listensOn = regexp.MustCompile(`msg="Listening on".* address=(\S+)`)

// TestRealPrometheus checks what the other tests assume of Prometheus: its limit, its times and its
// messages.
func TestRealPrometheus(t *testing.T) {
	const minutes = 9 * 24 * 60
	var text strings.Builder
	text.WriteString("# TYPE demand gauge\n")
	for _, pod := range []string{"a", "b"} {
		for i := range minutes {
			when := from.Add(time.Duration(i) * time.Minute).Unix()
			fmt.Fprintf(&text, "demand{namespace=\"n\",pod=%q} %d %d\n", pod, i, when)
		}
	}
	text.WriteString("# EOF\n")
	url := startPrometheus(t, text.String())
	source := newSource(t, url, func(c *history.SourceConfig) { c.Timeout = model.Duration(time.Minute) })

	end := from.Add((minutes - 1) * time.Minute)
	got, _, err := source.Range(t.Context(), "sum(demand)", from, end, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := history.Series{Start: from, Step: time.Minute, Values: make([]float64, minutes-1)}
	for i := range want.Values {
		want.Values[i] = float64(2 * (i + 1)) // the sample at the end of step i
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got:\n%.2000s", diff)
	}
	latest, err := source.Latest(t.Context(), "sum(demand)", end)
	if err != nil || latest.Value != 2*(minutes-1) || !latest.At.Equal(end) {
		t.Errorf("latest: %+v, %v", latest, err)
	}
	for query, kind := range map[string]history.Kind{
		"demand":              history.ErrSeveralSeries,
		"nothing_of_the_kind": history.ErrNoSeries,
		"sum(":                history.ErrBadQuery,
		"sum(demand) / 0 * 0": history.ErrNotFinite,
		"demand * on (pod) demand offset 1000000h": history.ErrNoSeries,
		"demand * on (namespace) demand":           history.ErrBadQuery,
		"sum(demand[5m])":                          history.ErrBadQuery,
	} {
		_, _, err := source.Range(t.Context(), query, from, end, time.Minute, nil)
		if history.KindOf(err) != kind {
			t.Errorf("%s: got %v, want %s", query, err, kind)
		}
		t.Log(query, "→", err)
	}
	widest := newSource(t, url, func(c *history.SourceConfig) { c.MaxPointsPerRequest = 11000 })
	if _, _, err := widest.Range(t.Context(), "sum(demand)", from, end, time.Minute, nil); err != nil {
		t.Errorf("11000 points at once: %v", err)
	}
}
