// Package docs_test checks the documentation: links lead to a page and a heading, the index lists
// every page, and examples match the API types.
package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
)

var (
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence = regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	block = regexp.MustCompile("(?ms)^```.*?^```$")
)

func pages(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, pattern := range []string{"../*.md", "*.md", "*/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			path, err := filepath.Abs(file) // so that one page has one name
			if err != nil {
				t.Fatal(err)
			}
			texts[path] = string(data)
		}
	}
	if len(texts) < 6 {
		t.Fatalf("found %d pages only", len(texts))
	}
	return texts
}

// TestLinks follows every link inside the repository, down to the heading.
func TestLinks(t *testing.T) {
	texts := pages(t)
	for file, text := range texts {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(m[1], "#")
			target := file
			if path != "" {
				target = filepath.Join(filepath.Dir(file), path)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s, which is not there", file, m[1])
			} else if anchor != "" && !anchors(texts[target])[anchor] {
				t.Errorf("%s links to %s, which has no such heading", file, m[1])
			}
		}
	}
}

// TestIndex wants every page to be found from the index.
func TestIndex(t *testing.T) {
	index, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"*.md", "design/*.md"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if file != "README.md" && !strings.Contains(string(index), "]("+file+")") {
				t.Errorf("docs/README.md does not link to %s", file)
			}
		}
	}
}

// TestEveryConditionHasASymptom wants the page on troubleshooting to name every condition of the API.
func TestEveryConditionHasASymptom(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../api/v1alpha1/*_*.go")
	if err != nil {
		t.Fatal(err)
	}
	condition, found := regexp.MustCompile(`\tCondition\w+ += "(\w+)"`), 0
	for _, file := range files {
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range condition.FindAllStringSubmatch(string(code), -1) {
			found++
			if !strings.Contains(string(text), "`"+m[1]+"`") {
				t.Errorf("docs/troubleshooting.md says nothing about %s", m[1])
			}
		}
	}
	if found < 16 {
		t.Errorf("only %d conditions were found", found)
	}
}

// TestErrorsHaveASymptom wants the page on troubleshooting to name what an HPA's event says.
func TestErrorsHaveASymptom(t *testing.T) {
	text, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{plan.ErrNoPlan, plan.ErrPlanExpired, plan.ErrNoObservation} {
		if !strings.Contains(string(text), "\n| "+err.Error()+" |") {
			t.Errorf("docs/troubleshooting.md does not say what %q means", err)
		}
	}
}

// anchors returns the headings of a page, as they appear in links. Comments in code are no headings.
func anchors(text string) map[string]bool {
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	out := map[string]bool{}
	for line := range strings.Lines(block.ReplaceAllString(text, "")) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			title = drop.ReplaceAllString(strings.ToLower(strings.TrimSpace(title)), "")
			out[strings.ReplaceAll(title, " ", "-")] = true
		}
	}
	return out
}

// TestExamples decodes every whole object in the pages strictly.
func TestExamples(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, autoscalingv2.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	kinds := map[string]int{}
	for file, text := range pages(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			for doc := range strings.SplitSeq(m[1], "\n---\n") {
				if !strings.HasPrefix(doc, "apiVersion:") {
					continue // a fragment
				}
				switch group, _, _ := strings.Cut(strings.TrimPrefix(doc, "apiVersion: "), "/"); group {
				case "keda.sh":
					checkKEDA(t, file, doc, m[1])
					continue
				case "argoproj.io", "kustomize.toolkit.fluxcd.io": // their schemas are not here
					if err := yaml.UnmarshalStrict([]byte(doc), &map[string]any{}); err != nil {
						t.Errorf("%s: %v in\n%s", file, err, doc)
					}
					continue
				}
				_, gvk, err := decoder.Decode([]byte(doc), nil, nil)
				if err != nil {
					t.Errorf("%s: %v in\n%s", file, err, doc)
					continue
				}
				kinds[gvk.Kind]++
			}
		}
	}
	for _, kind := range []string{"Forecast", "HorizontalPodAutoscaler"} {
		if kinds[kind] == 0 {
			t.Errorf("no page shows a %s", kind)
		}
	}
}

// checkKEDA checks an object of KEDA. A ScaledObject must follow the Forecast beside it, without
// anything for a condition to name.
func checkKEDA(t *testing.T, file, doc, beside string) {
	t.Helper()
	var obj unstructured.Unstructured
	if err := yaml.UnmarshalStrict([]byte(doc), &obj.Object); err != nil {
		t.Errorf("%s: %v in\n%s", file, err, doc)
		return
	}
	if obj.GetKind() != planner.ScaledObjectKind.Kind {
		return
	}
	scaled, err := planner.ReadScaledObject(&obj)
	if err != nil {
		t.Errorf("%s: %v", file, err)
	}
	var fc v1alpha1.Forecast
	first, _, _ := strings.Cut(beside, "\n---\n")
	if err := yaml.Unmarshal([]byte(first), &fc); err != nil {
		t.Errorf("%s: %v in\n%s", file, err, first)
	}
	all := planner.Autoscalers{ScaledObjects: []planner.ScaledObject{scaled}}
	if got := planner.ReadAutoscalers(all, &fc, time.Second); got.Count != 1 || len(got.Findings) > 0 {
		t.Errorf("%s: %d triggers read the Forecast, with the findings %v", file, got.Count, got.Findings)
	}
}
