package allocate

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// The API version of a target does not matter. Its kind and its group do.
func TestKeyOfATarget(t *testing.T) {
	key := func(version, kind, name string) TargetKey {
		return KeyOf(&v1alpha1.Forecast{Spec: v1alpha1.ForecastSpec{
			TargetRef: v1alpha1.TargetReference{APIVersion: version, Kind: kind, Name: name},
		}})
	}
	one := key("apps/v1", "Deployment", "model")
	if key("apps/v1beta1", "Deployment", "model") != one {
		t.Error("another version is no other target")
	}
	for _, other := range []TargetKey{
		key("apps/v1", "StatefulSet", "model"), key("v1", "Deployment", "model"),
		key("apps/v1", "Deployment", "other"),
	} {
		if other == one {
			t.Errorf("%+v is another target", other)
		}
	}
}

// A placeholder counts with the overhead that admission added.
func TestOverheadCounts(t *testing.T) {
	used := corev1.ResourceList{}
	usePod(used, &corev1.Pod{Spec: corev1.PodSpec{
		Overhead: corev1.ResourceList{"cpu": resource.MustParse("250m")},
		Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("4")},
		}}},
	}}, 2)
	if cpu := used["cpu"]; cpu.String() != "8500m" {
		t.Errorf("two of 4250m are %s", cpu.String())
	}
}

// A template without containers shows nothing of an image, and what was seen before still counts.
func TestTemplateWithoutContainers(t *testing.T) {
	a := Admission{Replica: "kept"}
	if got := a.update(nil, &Target{Image: "image"}); got.Replica != "kept" {
		t.Errorf("a template without containers shows nothing: %+v", got)
	}
	nameless := &corev1.Node{Status: corev1.NodeStatus{Images: []corev1.ContainerImage{{Names: []string{""}}}}}
	if known := gpuwarm.ImageOf(""); known.ListedOn(nameless) {
		t.Error("an empty name is not an image")
	}
}
