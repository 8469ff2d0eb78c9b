// Package keda tests Headstart beside the real KEDA, which owns external.metrics.k8s.io: its
// operator and its metrics adapter, at the version that go.keda.mod pins. Headstart claims no group.
package keda

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

var layout binaries.Layout

func TestMain(m *testing.M) { os.Exit(binaries.RunTests(m, &layout, binaries.WithKEDA)) }

// The compressed day, as in the tests of the metrics APIs.
const (
	day         = 5 * time.Minute
	step        = 2 * time.Second
	stepsPerDay = int(day / step)
	pastDays    = 14
	hpaSync     = 2 * time.Second
	// pollingInterval is that of the two services.
	pollingInterval = 2 * time.Second
	namespace       = "shop"
)

// Both services have the same demand and a Prometheus trigger. The second one also reads the plan.
const (
	reactive = "reactive"
	ahead    = "ahead"
)

func world(t *testing.T) *harness.World {
	t.Helper()
	cp := controlplane.DefaultOptions(layout.Bin)
	cp.StateRoot, cp.Log, cp.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	cp.Nodes = []controlplane.NodePool{controlplane.GPUNodes(16, 8)}
	service := func(name, mode string) harness.Service {
		return harness.Service{
			Namespace: namespace, Name: name, Mode: mode, Capacity: 22, Min: 1, Max: 20,
			WarmUp:          controlplane.WarmUp{Create: 3 * time.Second, Load: 7 * time.Second},
			ScaleDownWindow: 12 * time.Second,
			ProvisionFor:    `{serviceLevel: "0.9"}`, Step: step, Horizon: day, DefaultLead: 30 * time.Second,
			History: (pastDays + 1) * day,
		}
	}
	week := simulator.DefaultWeek(2+pastDays+2, stepsPerDay)
	week.Noise, week.DayToDay = 0.015, 0.015
	w, err := harness.NewWorld(t.Context(), harness.WorldOptions{
		Layout: layout, Log: t.Output(), ControlPlane: cp, Step: step, KEDA: true, Adapters: 2,
		Values: week.Values()[2*stepsPerDay:], Past: pastDays * stepsPerDay, SetUp: 80 * time.Second,
		Services: []harness.Service{service(reactive, "DryRun"), service(ahead, "Active")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// report logs a figure, and adds it to keda.txt in the folder that HEADSTART_ARTIFACTS names: go test
// shows no log of what passes.
func report(t *testing.T, format string, args ...any) {
	t.Helper()
	line := fmt.Sprintf(format, args...)
	t.Log(line)
	dir := os.Getenv("HEADSTART_ARTIFACTS")
	if dir == "" {
		return
	}
	f, err := os.OpenFile(filepath.Join(dir, "keda.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Error(err)
		return
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Error(err)
	}
}

// memory returns the resident memory of a process, with its unit.
func memory(p *controlplane.Process) string {
	text, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(p.PID()), "status"))
	if err != nil {
		return "unknown"
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}
