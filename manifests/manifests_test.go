package manifests_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	schedulingv1 "k8s.io/api/scheduling/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
)

// The priority of placeholders is below that of every normal pod. It is not below the cluster
// autoscaler's cutoff of -10: for a pod with a lower priority it adds no node. Placeholders preempt
// no pod.
func TestPlaceholderPriority(t *testing.T) {
	data, err := os.ReadFile("components/warm/priorityclass.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var class schedulingv1.PriorityClass
	if err := yaml.UnmarshalStrict(data, &class); err != nil {
		t.Fatal(err)
	}
	if class.Value < -10 || class.Value >= 0 || class.GlobalDefault {
		t.Errorf("value %d, globalDefault %v", class.Value, class.GlobalDefault)
	}
	if class.PreemptionPolicy == nil || *class.PreemptionPolicy != "Never" {
		t.Errorf("preemptionPolicy %v, want Never", class.PreemptionPolicy)
	}
}

// TestDecoderIsStrict tests the decoder of TestExamples: it must reject an unknown field.
func TestDecoderIsStrict(t *testing.T) {
	const forecast = "apiVersion: headstart.dev/v1alpha1\nkind: Forecast\nspec: {targetref: {}}"
	_, _, err := strictDecoder(t).Decode([]byte(forecast), nil, nil)
	if err == nil || !strings.Contains(err.Error(), "targetref") {
		t.Errorf("Decode of an unknown field: error %v, want one that names it", err)
	}
}

// TestKustomizationsAreComplete checks that each kustomization names all files of its directory.
func TestKustomizationsAreComplete(t *testing.T) {
	for _, root := range []string{"base", "prepare", "components", "overlays"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Name() != "kustomization.yaml" {
				return err
			}
			var k struct {
				Resources          []string `json:"resources"`
				ConfigMapGenerator []struct {
					Files []string `json:"files"`
				} `json:"configMapGenerator"`
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if err := yaml.Unmarshal(data, &k); err != nil {
				return err
			}
			named := slices.Clone(k.Resources)
			for _, g := range k.ConfigMapGenerator {
				named = append(named, g.Files...)
			}
			named = slices.DeleteFunc(named, func(s string) bool { return filepath.Ext(s) != ".yaml" })
			slices.Sort(named)
			files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.yaml"))
			if err != nil {
				return err
			}
			var present []string
			for _, f := range files {
				if base := filepath.Base(f); base != "kustomization.yaml" {
					present = append(present, base)
				}
			}
			if diff := cmp.Diff(present, named, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: files beside it (-) and named in it (+):\n%s", path, diff)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func strictDecoder(t *testing.T) runtime.Decoder {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{
		v1alpha1.AddToScheme, autoscalingv2.AddToScheme, rbacv1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme,
	} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	return serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
}

func documents(t *testing.T, file string) [][]byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var docs [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(bytes.TrimSpace(doc)) > 0 {
			docs = append(docs, doc)
		}
	}
}
