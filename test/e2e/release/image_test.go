package release

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// inImage returns a command that runs in the image's file system, and as its user. Only root may do
// that; for others the binary runs where it is.
func inImage(ctx context.Context, root string, args ...string) *exec.Cmd {
	const user = 65532
	if os.Getuid() != 0 {
		cmd := exec.CommandContext(ctx, filepath.Join(root, "headstart"), args...)
		cmd.Env = []string{}
		return cmd
	}
	cmd := exec.CommandContext(ctx, "/headstart", args...)
	cmd.Dir, cmd.Env = "/", []string{"PATH=/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: user, Gid: user}}
	return cmd
}

// TestVersion runs the image's binary.
func TestVersion(t *testing.T) {
	r := release(t)
	out, err := inImage(t.Context(), r.root, "version", "-o", "json").CombinedOutput()
	var got struct{ Version, Commit, Date string }
	if err != nil || json.Unmarshal(out, &got) != nil {
		t.Fatalf("version: %v: %s", err, out)
	}
	date := strings.TrimSpace(run(t, env.layout.Root, "git", "show", "-s", "--format=%ct", r.commit))
	at, err := time.Parse(time.RFC3339, got.Date)
	if got.Version != version || got.Commit != r.commit || err != nil || strconv.FormatInt(at.Unix(), 10) != date {
		t.Errorf("version says %+v, want %s of %s at %s", got, version, r.commit, date)
	}
	// The zones of Calendars are in the binary, and no file of the image has them.
	if _, err := os.Stat(filepath.Join(r.root, "usr/share/zoneinfo")); err == nil {
		t.Error("the image has zones twice")
	}
}

// serve runs the image's server against a control plane, and waits until it is ready.
func serve(t *testing.T, c *controlplane.ControlPlane, root string) {
	t.Helper()
	ports, err := controlplane.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := c.ServiceAccountKubeconfig(t.Context(), harness.Namespace, harness.Name)
	if err != nil {
		t.Fatal(err)
	}
	access, err := os.ReadFile(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	// What a cluster mounts.
	mounted := map[string]string{}
	for name, data := range map[string]string{
		"kubeconfig":   string(access),
		"sources.yaml": "sources:\n- {name: default, url: 'http://127.0.0.1:1', namespaces: ['*']}\n",
	} {
		path := filepath.Join(root, "mounted", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
		mounted[name] = path
		if os.Getuid() == 0 {
			mounted[name] = "/mounted/" + name
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	cmd := inImage(ctx, root, "serve", "--kubeconfig="+mounted["kubeconfig"],
		"--prometheus-config="+mounted["sources.yaml"], "--namespace="+harness.Namespace,
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(ports[0]),
		"--external-metrics", "--custom-metrics", "--warm-pools", "--shutdown-delay=0s")
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = cmd.Wait() }()
	t.Cleanup(func() { stop(); <-ended })
	ready := fmt.Sprintf("https://127.0.0.1:%d/readyz", ports[0])
	deadline := time.After(3 * time.Minute)
	for !answers(ready, c.Config.BearerToken) {
		select {
		case <-ended:
			t.Fatalf("the image's server ended:\n%s", log.String())
		case <-deadline:
			stop()
			<-ended
			t.Fatalf("the image's server is not ready after three minutes:\n%s", log.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// answers reports whether a page is served with code 200.
func answers(url, token string) bool {
	client := &http.Client{
		Timeout:   5 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true},
	}
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}
