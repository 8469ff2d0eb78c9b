package manifests_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
)

// foreign are the kinds of other projects that examples show. Their schemas are not here.
var foreign = []string{
	"apps.kruise.io", "keda.sh", "kustomize.config.k8s.io", "leaderworkerset.x-k8s.io", "monitoring.coreos.com",
	"serving.kserve.io",
}

// exampleFiles are all examples, with their objects.
func exampleFiles(t *testing.T) map[string][]runtime.Object {
	t.Helper()
	decoder := strictDecoder(t)
	files := map[string][]runtime.Object{}
	err := filepath.WalkDir("examples", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if filepath.Ext(path) != ".yaml" {
			t.Errorf("%s is no manifest", path)
			return nil
		}
		for _, doc := range documents(t, path) {
			obj, err := decodeExample(decoder, doc)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			files[path] = append(files[path], obj)
		}
		return nil
	})
	if err != nil || len(files) < 20 {
		t.Fatalf("examples: %d files, error %v", len(files), err)
	}
	return files
}

// decodeExample decodes an object strictly: an unknown or a duplicate field is an error. Of the kinds
// of other projects only duplicates are.
func decodeExample(decoder runtime.Decoder, doc []byte) (runtime.Object, error) {
	obj := &unstructured.Unstructured{}
	if err := yaml.UnmarshalStrict(doc, &obj.Object); err != nil {
		return nil, err
	}
	if slices.Contains(foreign, obj.GroupVersionKind().Group) {
		return obj, nil
	}
	known, _, err := decoder.Decode(doc, nil, nil)
	return known, err
}

func TestExamples(t *testing.T) {
	seen := map[string]bool{}
	for file, objects := range exampleFiles(t) {
		for _, obj := range objects {
			seen[fmt.Sprintf("%T", obj)] = true
			checkScalars(t, file, obj)
		}
	}
	for _, kind := range []string{
		"*v1alpha1.Forecast", "*v1alpha1.PeakSchedule", "*v1alpha1.Calendar", "*v1alpha1.WarmPool",
		"*v2.HorizontalPodAutoscaler", "*v1.Deployment",
	} {
		if !seen[kind] {
			t.Errorf("no example shows a %s: %v", kind, seen)
		}
	}
}

// checkScalars parses the values that the API server checks only by a pattern.
func checkScalars(t *testing.T, file string, obj runtime.Object) {
	t.Helper()
	switch obj := obj.(type) {
	case *v1alpha1.PeakSchedule:
		if _, err := obj.Spec.TimeZone.Location(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		for _, w := range obj.Spec.Windows {
			if _, err := w.Duration.Parse(); err != nil {
				t.Errorf("%s: window %s: %v", file, w.Name, err)
			}
		}
	case *autoscalingv2.HorizontalPodAutoscaler:
		for _, m := range obj.Spec.Metrics {
			var target autoscalingv2.MetricTarget
			switch {
			case m.External != nil:
				target = m.External.Target
			case m.Object != nil:
				target = m.Object.Target
			default:
				continue // it reads no Forecast
			}
			if target.Type != autoscalingv2.AverageValueMetricType || target.AverageValue == nil {
				t.Errorf("%s: an HPA must read a Forecast as AverageValue, not as %q", file, target.Type)
			}
		}
	}
}

// alone are examples of a Forecast whose autoscaler is in another file.
var alone = []string{"examples/forecast-all-fields.yaml", "examples/gitops/services/chat/base/forecast.yaml"}

// TestExamplesAreFollowed reads what scales each Forecast of the examples, as Headstart does. Nothing
// may keep it from following the Forecast.
func TestExamplesAreFollowed(t *testing.T) {
	for file, objects := range exampleFiles(t) {
		var all planner.Autoscalers
		var forecasts []*v1alpha1.Forecast
		for _, obj := range objects {
			switch obj := obj.(type) {
			case *v1alpha1.Forecast:
				forecasts = append(forecasts, obj)
			case *autoscalingv2.HorizontalPodAutoscaler:
				all.HPAs = append(all.HPAs, *obj)
			case *unstructured.Unstructured:
				if obj.GetKind() != planner.ScaledObjectKind.Kind {
					continue
				}
				o, err := planner.ReadScaledObject(obj)
				if err != nil {
					t.Errorf("%s: %v", file, err)
				}
				all.ScaledObjects = append(all.ScaledObjects, o)
			}
		}
		for _, fc := range forecasts {
			got := planner.ReadAutoscalers(all, fc, 15*time.Second)
			if len(got.Findings) > 0 {
				t.Errorf("%s: the Forecast %s is not followed: %v", file, fc.Name, got.Findings)
			}
			if got.Count == 0 && !slices.Contains(alone, filepath.ToSlash(file)) {
				t.Errorf("%s: nothing reads the Forecast %s", file, fc.Name)
			}
			learned := fc.Spec.Capacity != nil && fc.Spec.Capacity.Default != nil
			if got.Capacity == 0 && fc.Spec.CapacityPerReplica == nil && !learned && got.Count > 0 {
				t.Errorf("%s: nobody says what one replica of %s serves", file, fc.Name)
			}
		}
	}
}

// exported are the metrics that queries of the examples read, with where their names come from.
var exported = map[string]string{
	"http_requests_total": "any web server: a placeholder",
	// vLLM, docs/usage/metrics.md. The label of the model is model_name.
	"vllm:request_success_total": "vLLM: requests that ended, by finished_reason",
	"vllm:num_requests_running":  "vLLM: requests in execution",
	"vllm:num_requests_waiting":  "vLLM: requests that wait",
	// vLLM's histograms, vllm/v1/metrics/loggers.py.
	"vllm:request_prompt_tokens_sum":          "vLLM: prompt tokens of requests that ended",
	"vllm:request_prompt_tokens_count":        "vLLM: the requests of these",
	"vllm:request_generation_tokens_sum":      "vLLM: generated tokens of requests that ended",
	"vllm:request_generation_tokens_count":    "vLLM: the requests of these",
	"vllm:time_to_first_token_seconds_bucket": "vLLM: time to the first token",
	"vllm:time_to_first_token_seconds_count":  "vLLM: first tokens",
	// SGLang, docs/references/production_metrics.md.
	"sglang:num_requests_total": "SGLang: requests that were processed",
	"sglang:num_running_reqs":   "SGLang: requests in execution",
	"sglang:num_queue_reqs":     "SGLang: requests that wait",
	// Triton, docs/user_guide/metrics.md. The label of the model is model.
	"nv_inference_request_success":       "Triton: requests that succeeded",
	"nv_inference_request_failure":       "Triton: requests that failed, by reason",
	"nv_inference_pending_request_count": "Triton: requests that wait for a backend",
	// TGI, docs/source/reference/metrics.md.
	"tgi_request_count": "TGI: requests that came",
	// Gateway API Inference Extension: the Endpoint Picker.
	"inference_objective_request_total": "Endpoint Picker: requests that came, by model_name",
}

// modelLabel is the label with which each server names its model.
var modelLabel = map[string]string{
	"vllm": "model_name", "sglang": "model_name", "inference": "model_name", "nv": "model",
}

var serverOf = regexp.MustCompile(`^[a-z]+`)

// TestExampleQueries parses each query, and knows each metric in it and the label that selects a
// model.
func TestExampleQueries(t *testing.T) {
	used := map[string]bool{}
	for file, objects := range exampleFiles(t) {
		for _, obj := range objects {
			fc, ok := obj.(*v1alpha1.Forecast)
			if !ok || fc.Spec.Demand == nil {
				continue
			}
			for _, query := range queriesOf(fc) {
				checkQuery(t, file, query, used)
			}
		}
	}
	for name := range exported {
		if !used[name] {
			t.Errorf("no example reads %s", name)
		}
	}
}

// queriesOf returns the queries of a Forecast.
func queriesOf(fc *v1alpha1.Forecast) []string {
	out := []string{fc.Spec.Demand.PromQL()}
	if c := fc.Spec.Capacity; c != nil {
		out = append(out, c.Objective.Query)
		if c.Replicas != nil {
			out = append(out, c.Replicas.Query)
		}
	}
	return out
}

// checkQuery notes the metrics that a query reads.
func checkQuery(t *testing.T, file, query string, used map[string]bool) {
	t.Helper()
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		used[s.Name] = true
		if exported[s.Name] == "" {
			t.Errorf("%s: who exports %s?", file, s.Name)
		}
		label := modelLabel[serverOf.FindString(s.Name)]
		if label != "" && !strings.Contains(s.String(), label+"=") {
			t.Errorf("%s: %s selects no model by %s", file, s, label)
		}
		return nil
	})
}
