package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

// A command does not wait forever for an API server that accepts connections and never answers.
func TestClusterTimeout(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	kubeconfig := filepath.Join(t.TempDir(), "config")
	content := strings.ReplaceAll(`apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://ADDRESS"}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
users: [{name: u, user: {}}]
current-context: c
`, "ADDRESS", l.Addr().String())
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan string, 1)
	go func() {
		_, stderr, code := headstart(t, "status a/b --request-timeout 500ms --kubeconfig", kubeconfig)
		if code == 0 {
			stderr = "it succeeded"
		}
		ended <- stderr
	}()
	select {
	case got := <-ended:
		if !strings.Contains(got, "imeout") && !strings.Contains(got, "deadline") {
			t.Errorf("%q, want a timeout", got)
		}
	case <-time.After(time.Minute):
		t.Error("status waits forever")
	}
	flags := newNamespacedFlags(pflag.NewFlagSet("test", pflag.ContinueOnError))
	flags.config.kubeconfig = kubeconfig
	if config, err := flags.restConfig(); err != nil || config.Timeout != clusterTimeout {
		t.Errorf("without the flag requests end after %v (%v), want %s", config.Timeout, err, clusterTimeout)
	}
}

// Without Forecasts, it is said where they were looked for.
func TestNoForecasts(t *testing.T) {
	for args, want := range map[string]string{
		"":        "No Forecasts found in namespace default: -A reads all namespaces.",
		"-n shop": "No Forecasts found in namespace shop: -A reads all namespaces.",
		"-A":      "No Forecasts found.",
	} {
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		c := newClusterFlags(flags)
		line := append(strings.Fields(args), "--kubeconfig", kubeconfigOf(t, "http://127.0.0.1:1"))
		if err := flags.Parse(line); err != nil {
			t.Fatal(err)
		}
		if got := c.none(); got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}
