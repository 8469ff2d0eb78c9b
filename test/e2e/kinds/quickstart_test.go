package kinds_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
)

// TestQuickStart runs the commands of docs/quickstart.md, but for those that need kind: the control
// plane stands for its cluster, and Headstart runs beside it. At the end the HPA follows the plan.
func TestQuickStart(t *testing.T) {
	layout, err := binaries.FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, target := range map[string]string{"kubectl": "kubectl", "kubectl-headstart": "headstart"} {
		if err := os.Symlink(filepath.Join(layout.Bin, target), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(line string) (string, error) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", strings.ReplaceAll(line, "http://localhost:9090", goodURL))
		cmd.Dir = layout.Root
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "KUBECONFIG="+shared.Kubeconfig)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	text, err := os.ReadFile(filepath.Join(layout.Root, "docs", "quickstart.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			if elsewhere.MatchString(line) {
				continue
			}
			ran++
			out, err := run(line)
			t.Logf("$ %s\n%s", line, out)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
		}
	}
	if ran < 8 {
		t.Errorf("only %d commands were found", ran)
	}
	// The wave needs from 2 to 12 replicas.
	for deadline := time.Now().Add(timeout); ; time.Sleep(200 * time.Millisecond) {
		out, err := run(`kubectl get hpa wave -o jsonpath='{.status.desiredReplicas}'`)
		if err == nil && out != "" && out != "0" && out != "1" {
			return
		}
		if time.Now().After(deadline) {
			out, _ := run("kubectl describe hpa wave; kubectl headstart status wave")
			t.Fatalf("the HPA does not follow the plan:\n%s", out)
		}
	}
}

// elsewhere are the commands that make a cluster, install what the control plane has already, and wait
// for pods that the control plane only pretends to run.
var elsewhere = regexp.MustCompile(`^(make|kind|export) |port-forward|rollout status|-k manifests/`)
