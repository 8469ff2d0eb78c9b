package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"headstart.dev/headstart/cmd/headstart/app"
	"headstart.dev/headstart/cmd/headstart/cli/internal/prometheus"
)

// Mistakes in the command line are said before anything is served.
func TestUIFlags(t *testing.T) {
	config := kubeconfigOf(t, "http://127.0.0.1:1")
	many := "ns"
	for i := range 40 {
		many += fmt.Sprintf(",ns-%d", i)
	}
	for name, tc := range map[string]struct{ reason, line, says string }{
		"Port":      {"there is no such port", "--port 70000", "--port 70000 is not a port"},
		"Both":      {"all and one", "-A -n shop", "not both"},
		"Empty":     {"a comma too many", "--namespaces shop,,ml", "empty name"},
		"Many":      {"each would be watched on its own", "--namespaces " + many, "at most 32"},
		"Source":    {"neither a URL nor a Service", "--prometheus prometheus", "NAMESPACE/SERVICE:PORT"},
		"NoPort":    {"a Service without a port", "--prometheus monitoring/prometheus", "NAMESPACE/SERVICE:PORT"},
		"Traversal": {"a Service that is a path", "--prometheus monitoring/a:90/../../x", "NAMESPACE/SERVICE:PORT"},
		"Argument":  {"it takes none", "shop/web", `unknown command "shop/web"`},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := headstart(t, "ui --no-open "+tc.line+" --kubeconfig", config)
			if code == 0 || stdout != "" || !strings.Contains(stderr, tc.says) {
				t.Errorf("%s: exit %d, %q, %q; want an error with %q", tc.reason, code, stdout, stderr, tc.says)
			}
		})
	}
}

// The command prints an address at which the page is, and ends without an error.
func TestUIServes(t *testing.T) {
	api := httptest.NewServer(http.NotFoundHandler())
	defer api.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, write := io.Pipe()
	ended := make(chan int, 1)
	var stderr strings.Builder
	go func() {
		ended <- execute(ctx, []string{"headstart", "ui", "--no-open", "--kubeconfig", kubeconfigOf(t, api.URL)},
			Streams{strings.NewReader(""), write, &stderr})
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // until it ends
	address := strings.TrimSpace(line)
	if !regexp.MustCompile(`^http://127\.0\.0\.1:\d+/[\w-]{43}/$`).MatchString(address) {
		t.Fatalf("it printed %q", address)
	}
	r, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(r.Body)
	_ = r.Body.Close()
	if r.StatusCode != http.StatusOK || !strings.Contains(string(body), "<title>Headstart</title>") {
		t.Errorf("%s: %s", r.Status, body)
	}
	cancel()
	select {
	case code := <-ended:
		if code != 0 || !strings.HasPrefix(stderr.String(), "note: the page shows no history of demand: ") {
			t.Errorf("it ended with %d: %s", code, stderr.String())
		}
	case <-time.After(time.Minute):
		t.Error("it does not end")
	}
}

// A Prometheus in the cluster is read through the API server, with the user's own credentials.
func TestHistoryThroughTheAPIServer(t *testing.T) {
	var path, authorization string
	wave := wavePrometheus(0)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, authorization = r.URL.Path, r.Header.Get("Authorization")
		const prefix = "/k8s/api/v1/namespaces/monitoring/services/prometheus:9090/proxy"
		if !strings.HasPrefix(r.URL.Path, prefix) {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		http.StripPrefix(prefix, wave).ServeHTTP(w, r)
	}))
	defer api.Close()
	named := prometheus.Flags{At: "monitoring/prometheus:9090", Cluster: func() (*rest.Config, error) {
		return &rest.Config{Host: api.URL + "/k8s", BearerToken: "of the user"}, nil
	}}
	source, err := named.Source()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 18, 9, 0, 0, 0, time.UTC)
	series, _, err := source.Range(t.Context(), "demand", now.Add(-24*time.Hour), now, time.Hour, nil)
	if err != nil || series.Known() < 20 {
		t.Errorf("read %d values, %v", series.Known(), err)
	}
	if !strings.HasSuffix(path, "/proxy/api/v1/query_range") || authorization != "Bearer of the user" {
		t.Errorf("asked for %s with %q", path, authorization)
	}
}

// Each command of docs/ui.md has flags that exist.
func TestUIDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "ui.md"))
	if err != nil {
		t.Fatal(err)
	}
	parsed := 0
	for line := range strings.Lines(string(text)) {
		args, ok := strings.CutPrefix(strings.TrimSpace(line), "kubectl headstart ")
		if !ok {
			continue
		}
		args, _, _ = strings.Cut(args, " #")
		root := newRootCommand("headstart", testVersion, Streams{}, app.NewServeCommand())
		cmd, rest, err := root.Find(strings.Fields(args))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err != nil || cmd.Name() != "ui" {
			t.Errorf("%s: %v", line, err)
		}
		parsed++
	}
	if parsed < 4 {
		t.Errorf("%d commands were found", parsed)
	}
}
