package controlplane_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"headstart.dev/headstart/test/controlplane"
)

// Two processes never get the same port, whatever they do with it.
func TestFreePorts(t *testing.T) {
	const env, n = "CONTROL_PLANE_TEST_PORTS", 150
	own, err := controlplane.FreePorts(n)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv(env) != "" {
		fmt.Println("ports", strings.Trim(fmt.Sprint(own), "[]"))
		return
	}
	slices.Sort(own)
	if len(slices.Compact(slices.Clone(own))) != n {
		t.Errorf("a port twice: %v", own)
	}
	for range 40 { // reserved, and not listened on yet
		port, err := controlplane.FreePorts(1)
		if err != nil || slices.Contains(own, port[0]) {
			t.Fatalf("port %v was found before: %v", port, err)
		}
		own = append(own, port...)
	}
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestFreePorts$")
		cmd.Env = append(os.Environ(), env+"=1")
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		_, line, ok := bytes.Cut(out, []byte("ports "))
		if !ok {
			t.Fatalf("no ports:\n%s", out)
		}
		line, _, _ = bytes.Cut(line, []byte("\n"))
		others := strings.Fields(string(line))
		if len(others) != n {
			t.Fatalf("%d ports, want %d", len(others), n)
		}
		for _, port := range others {
			if slices.ContainsFunc(own, func(p int) bool { return fmt.Sprint(p) == port }) {
				t.Errorf("port %s was found by two processes", port)
			}
		}
	}
}
