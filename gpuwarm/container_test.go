package gpuwarm

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func TestMainContainer(t *testing.T) {
	plain := func(name string) corev1.Container { return corev1.Container{Name: name, Image: name + ":1"} }
	gpus := func(name, n string) corev1.Container {
		c := plain(name)
		c.Resources.Limits = corev1.ResourceList{"nvidia.com/gpu": resource.MustParse(n)}
		return c
	}
	for name, tc := range map[string]struct {
		reason     string
		standard   string // the container that the annotation names
		containers []corev1.Container
		want       string
	}{
		"None": {reason: "there is nothing to choose from"},
		"First": {
			reason: "nothing says which", containers: []corev1.Container{plain("a"), plain("b")}, want: "a:1",
		},
		"Default": {
			reason: "a proxy that was injected is first", standard: "b",
			containers: []corev1.Container{plain("a"), plain("b"), plain("c")}, want: "b:1",
		},
		"DefaultIsNotHere": {
			reason: "an annotation may be out of date", standard: "z",
			containers: []corev1.Container{plain("a"), plain("b")}, want: "a:1",
		},
		"Accelerator": {
			reason: "the container with the accelerators serves", standard: "a",
			containers: []corev1.Container{plain("a"), gpus("b", "1"), gpus("c", "2")}, want: "c:1",
		},
		"DefaultIsLater": {
			reason: "the accelerators come before the annotation in any order", standard: "b",
			containers: []corev1.Container{gpus("a", "1"), plain("b")}, want: "a:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := MainImage(
				map[string]string{defaultContainer: tc.standard},
				&corev1.PodSpec{Containers: tc.containers},
			)
			if got != tc.want {
				t.Errorf("the image is %q, want %q: %s", got, tc.want, tc.reason)
			}
		})
	}
}
