package kinds_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/harness"
)

// wave is demand with a daily rhythm and no stored history: Prometheus computes it for any time.
const wave = `100 - 60 * cos(vector(time()) * 2 * pi() / 86400)`

// shop returns a namespace with two Forecasts that can be replayed and one that cannot, a peak for
// one of them, and an account that may read all of it.
func shop(ns string) string {
	one := func(name, query string) string {
		return fmt.Sprintf(`
---
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: %s, namespace: %s, labels: {tier: front}}
spec:
  demand: {prometheus: {query: '%s'}, resolution: 10m, history: 10d}
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}
  leadTime: {mode: Fixed, fixed: 10m}
  capacityPerReplica: "5"
  provisionFor: {serviceLevel: "0.95"}
`, name, ns, query)
	}
	forecasts := one("face-fusion", wave) + one("chat", wave+" + 10") + one("broken", "nothing_of_this_name")
	return deployment(ns) + forecasts + `
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: noon, namespace: ` + ns + `}
spec:
  forecastRefs: [{name: face-fusion}]
  timeZone: UTC
  windows: [{name: lunch, schedule: "0 12 * * *", duration: 1h, demand: {atLeast: "300"}}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: ` + ns + `}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: stranger, namespace: ` + ns + `}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: ` + ns + `}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: headstart-view}
subjects: [{kind: ServiceAccount, name: reader, namespace: ` + ns + `}]
`
}

// terminal is the shell of a user who has kubectl and the plugin.
type terminal struct {
	path, kubeconfig, dir string
}

func newTerminal(t *testing.T, ns, user string) terminal {
	t.Helper()
	layout, err := binaries.FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := shared.ServiceAccountKubeconfig(t.Context(), ns, user)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for name, target := range map[string]string{"kubectl": "kubectl", "kubectl-headstart": "headstart"} {
		if err := os.Symlink(filepath.Join(layout.Bin, target), filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	return terminal{path: bin + ":" + os.Getenv("PATH"), kubeconfig: kubeconfig, dir: t.TempDir()}
}

func (u terminal) run(t *testing.T, line string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/bin/sh", "-c", line)
	cmd.Env, cmd.Dir = append(os.Environ(), "PATH="+u.path, "KUBECONFIG="+u.kubeconfig), u.dir
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = cmd.Run()
	return out.String(), complaint.String(), err
}

// The commands of docs/report.md do what the page says, for a user who may view one namespace and
// nothing else.
func TestCommandsOfAUser(t *testing.T) {
	const ns = "shop" // the name in the documentation
	if err := shared.Apply(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+ns+"}\n"); err != nil {
		t.Fatal(err)
	}
	if err := shared.Apply(t.Context(), shop(ns)); err != nil {
		t.Fatal(err)
	}
	if _, err := harness.AwaitForecast(t.Context(), shared, ns, "face-fusion", timeout, harness.Ready); err != nil {
		t.Fatal(err)
	}
	reader := newTerminal(t, ns, "reader")
	documented := documentedCommands(t)
	// By the command: what it must print, and whether it must fail.
	want := map[string]struct {
		says  []string
		fails bool
	}{
		"kubectl headstart report shop/face-fusion": {says: []string{
			"Dry run of shop/face-fusion",
			"lead 10m, capacity 5 per replica, service level 0.95", "peaks: noon", "What to apply", "calendars",
		}},
		"kubectl headstart report --namespace shop": {fails: true}, // one of the three has no series
		"kubectl headstart plot shop/face-fusion": {says: []string{
			"shop/face-fusion (Active)", "█ demand", "· expected",
			"─ plan: demand to provision for", "┊ now", "▀",
		}},
		"kubectl headstart status shop/face-fusion": {says: []string{
			"shop/face-fusion (mode Active)", "Conditions:",
			"Ready",
		}},
	}
	for prefix, tc := range want {
		t.Run(prefix, func(t *testing.T) {
			line := ""
			for _, l := range documented {
				if strings.HasPrefix(l, prefix) {
					line = l
				}
			}
			if line == "" {
				t.Fatalf("docs/report.md has no such command: %q", documented)
			}
			out, complaint, err := reader.run(t, line)
			if (err != nil) != tc.fails {
				t.Fatalf("%s: %v: %s", line, err, complaint)
			}
			for _, part := range tc.says {
				if !strings.Contains(out, part) {
					t.Errorf("%s does not say %q:\n%s", line, part, out)
				}
			}
			for row := range strings.Lines(out) {
				if n := len([]rune(strings.TrimRight(row, "\n"))); n > 100 && !strings.Contains(row, "://") &&
					prefix != "kubectl headstart status shop/face-fusion" {
					t.Errorf("%d columns: %s", n, row)
				}
			}
		})
	}
	t.Run("page of the namespace", func(t *testing.T) {
		page, err := os.ReadFile(filepath.Join(reader.dir, "shop.html"))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range []string{"namespace shop", "shop/face-fusion", "shop/chat", "shop/broken", "</html>"} {
			if !bytes.Contains(page, []byte(part)) {
				t.Errorf("%q is missing on the page", part)
			}
		}
	})
	t.Run("the API server accepts the proposal", func(t *testing.T) { proposalApplies(t, reader) })
	t.Run("errors say what to do", func(t *testing.T) { commandErrors(t, reader, newTerminal(t, ns, "stranger")) })
}

// documentedCommands returns the commands of the section about the cluster, with this test's
// Prometheus in place of a forwarded port.
func documentedCommands(t *testing.T) []string {
	t.Helper()
	layout, err := binaries.FindLayout()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(layout.Root, "docs", "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "## In the cluster")
	block := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(section)
	if block == nil {
		t.Fatal("docs/report.md has no commands for a cluster")
	}
	var lines []string
	for line := range strings.Lines(block[1]) {
		if strings.HasPrefix(line, "kubectl headstart ") {
			lines = append(lines, withPrometheus(strings.TrimSpace(line)))
		}
	}
	return lines
}

// proposalApplies applies the objects that a report proposes to the API server, as a dry run.
func proposalApplies(t *testing.T, reader terminal) {
	out, complaint, err := reader.run(t, "kubectl headstart report shop/chat -o json --prometheus "+goodURL)
	if err != nil {
		t.Fatalf("%v: %s", err, complaint)
	}
	var made struct {
		Input    struct{ LeadSeconds float64 }
		Proposal struct{ Forecast, HPA string }
	}
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		t.Fatal(err)
	}
	if made.Input.LeadSeconds != 600 {
		t.Errorf("the lead is %v s, and that of the Forecast 600", made.Input.LeadSeconds)
	}
	manifests := made.Proposal.Forecast + "---\n" + made.Proposal.HPA
	if said, err := shared.Kubectl(t.Context(), []byte(manifests), "apply", "--dry-run=server", "--validate=strict", "-n",
		"shop", "-f", "-"); err != nil {
		t.Errorf("%v\n%s\n%s", err, said, manifests)
	}
}

func commandErrors(t *testing.T, reader, stranger terminal) {
	cases := map[string]struct {
		user terminal
		line string
		says []string
	}{
		"forbidden": {stranger, "kubectl headstart status shop/face-fusion", []string{"forbidden"}},
		"unknown":   {reader, "kubectl headstart plot shop/none", []string{"shop/none", "not found"}},
		"no prometheus": {
			reader, "kubectl headstart report shop/face-fusion", []string{"NAMESPACE/SERVICE:PORT", "--prometheus"},
		},
		"unreachable": {
			reader, "kubectl headstart plot shop/face-fusion --prometheus http://127.0.0.1:1",
			[]string{"NAMESPACE/SERVICE:PORT"},
		},
		"no such names": {
			reader, "kubectl headstart report -n default --prometheus http://127.0.0.1:1",
			[]string{"forbidden"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			out, complaint, err := tc.user.run(t, tc.line)
			if err == nil || out != "" {
				t.Errorf("no error, and out came %q", out)
			}
			for _, part := range tc.says {
				if !strings.Contains(complaint, part) {
					t.Errorf("%q does not say %q", complaint, part)
				}
			}
		})
	}
}
