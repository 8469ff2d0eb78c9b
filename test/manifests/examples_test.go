package manifests_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/binaries"
	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
)

// checkExamples lets the API server validate every example, with the rules of the CRDs. Those of
// KEDA are KEDA's own. Of KServe, LeaderWorkerSet and the Prometheus operator it has CRDs that
// were written for this test, which check group, version, kind and scope, and no field.
func checkExamples(t *testing.T, c *controlplane.ControlPlane, layout binaries.Layout) {
	if err := harness.InstallKEDACRDs(t.Context(), c, layout); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(t.Context(), string(read(t, "testdata/foreign_crds.yaml"))); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitCRDs(t.Context(), "inferenceservices.serving.kserve.io",
		"leaderworkersets.leaderworkerset.x-k8s.io", "podmonitors.monitoring.coreos.com"); err != nil {
		t.Fatal(err)
	}
	for _, namespace := range []string{"shop", "chat-staging", "chat-production", "monitoring"} { // of examples
		if err := c.Apply(t.Context(), "apiVersion: v1\nkind: Namespace\nmetadata: {name: "+namespace+"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	files, folders := examples(t)
	for _, file := range files {
		t.Run(file, func(t *testing.T) { accept(t, c, "-f", file) })
	}
	for _, folder := range folders {
		t.Run(folder, func(t *testing.T) { accept(t, c, "-k", folder) })
	}
}

// accept applies an example as far as nothing is stored.
func accept(t *testing.T, c *controlplane.ControlPlane, flag, path string) {
	t.Helper()
	_, err := c.Kubectl(t.Context(), nil, "apply", "--server-side", "--dry-run=server", "--validate=strict", flag,
		filepath.Join(repository, path))
	if err != nil {
		t.Error(err)
	}
}

// examples returns the examples that are applied by themselves, and the folders of kustomizations,
// but for bases.
func examples(t *testing.T) (files, folders []string) {
	t.Helper()
	root := filepath.Join(repository, "manifests", "examples")
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, repository+"/")
		if !entry.IsDir() {
			files = append(files, name)
			return nil
		}
		if _, err := os.Stat(filepath.Join(path, "kustomization.yaml")); err == nil {
			if entry.Name() != "base" {
				folders = append(folders, name)
			}
			return filepath.SkipDir
		}
		return nil
	})
	if err != nil || len(files) < 15 || len(folders) < 4 {
		t.Fatalf("examples: %q and %q, error %v", files, folders, err)
	}
	return files, folders
}

// TestGitOpsExample renders the example's overlays: each changes what it says.
func TestGitOpsExample(t *testing.T) {
	const root = "manifests/examples/gitops/"
	for name, tc := range map[string]struct {
		reason, folder, kind string
		want                 []string
	}{
		"staging": {
			"the base's dry run", "services/chat/staging", "Forecast",
			[]string{"namespace: chat-staging", "mode: DryRun"},
		},
		"production": {
			"it serves", "services/chat/production", "Forecast",
			[]string{"namespace: chat-production", "mode: Active"},
		},
		"bounds": {
			"and it may grow", "services/chat/production", "HorizontalPodAutoscaler", []string{"maxReplicas: 60"},
		},
		"image": {
			"the registry of the team", "headstart", "Deployment",
			[]string{"image: registry.example/team/headstart:v0.1.0"},
		},
		"sources": {
			"the Prometheus of the cluster", "headstart", "ConfigMap",
			[]string{"http://prometheus-operated.monitoring.svc:9090"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, resource := range build(t, root+tc.folder).Resources() {
				if resource.GetKind() != tc.kind {
					continue
				}
				text, err := yaml.Marshal(resource)
				if err != nil {
					t.Fatal(err)
				}
				missing := slices.DeleteFunc(slices.Clone(tc.want), func(part string) bool {
					return strings.Contains(string(text), part)
				})
				if len(missing) > 0 {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, missing, text)
				}
				return
			}
			t.Errorf("%s has no %s", tc.folder, tc.kind)
		})
	}
}

// overloaded are the series of a server that ends two requests a second while five come, with the
// samples of a minute: what ends, what runs, and what waits.
var overloaded = map[string][]string{
	"vllm.yaml": {
		`vllm:request_success_total{model_name="chat",finished_reason="stop"} 0+110x20`,
		`vllm:request_success_total{model_name="chat",finished_reason="length"} 0+10x20`,
		`vllm:num_requests_running{model_name="chat"} 60x20`, `vllm:num_requests_waiting{model_name="chat"} 0+180x20`,
	},
	"sglang.yaml": {
		`sglang:num_requests_total{model_name="chat"} 0+120x20`,
		`sglang:num_running_reqs{model_name="chat"} 60x20`, `sglang:num_queue_reqs{model_name="chat"} 0+180x20`,
	},
	"triton.yaml": {
		`nv_inference_request_success{model="rank",version="1"} 0+110x20`,
		`nv_inference_request_failure{model="rank",reason="REJECTED"} 0+10x20`,
		`nv_inference_pending_request_count{model="rank"} 0+180x20`,
	},
}

// TestDemandBeyondCapacity evaluates the queries of the examples, with Prometheus' own promtool, on a
// server that is at its limit. Demand is what comes, and not what is served.
func TestDemandBeyondCapacity(t *testing.T) {
	layout, err := binaries.ControlPlane(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	for file, series := range overloaded {
		t.Run(file, func(t *testing.T) {
			var inputs []map[string]string
			for _, s := range series {
				name, values, _ := strings.Cut(s, "} ")
				inputs = append(inputs, map[string]string{"series": name + "}", "values": values})
			}
			expectation := map[string]any{
				"expr": "round(" + queryOf(t, file) + ", 0.001)", "eval_time": "15m",
				"exp_samples": []map[string]any{{"labels": "{}", "value": 5}},
			}
			text, err := yaml.Marshal(map[string]any{"tests": []map[string]any{{
				"interval": "1m", "input_series": inputs, "promql_expr_test": []any{expectation},
			}}})
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "tests.yaml")
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			promtool := filepath.Join(layout.Bin, "promtool")
			out, err := exec.CommandContext(t.Context(), promtool, "test", "rules", path).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// queryOf returns the query of the Forecast of an example.
func queryOf(t *testing.T, file string) string {
	t.Helper()
	for doc := range strings.SplitSeq(string(read(t, repository+"/manifests/examples/servers/"+file)), "\n---\n") {
		var fc struct {
			Kind string
			Spec struct {
				Demand struct{ Prometheus struct{ Query string } }
			}
		}
		if err := yaml.Unmarshal([]byte(doc), &fc); err != nil {
			t.Fatal(err)
		}
		if fc.Kind == "Forecast" {
			return fc.Spec.Demand.Prometheus.Query
		}
	}
	t.Fatalf("%s has no Forecast", file)
	return ""
}
