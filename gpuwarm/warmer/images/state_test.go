package images

import (
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

func TestStateOfAPull(t *testing.T) {
	made := corev1.ContainerStatus{
		Name: names.PullContainer, ImageID: "sha256:1",
		State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 128, Reason: "StartError"}},
	}
	full := node("full")
	for i := range 50 {
		full.Status.Images = append(full.Status.Images, corev1.ContainerImage{Names: []string{fmt.Sprint("i", i)}})
	}
	waits := func(reason string) *corev1.Pod {
		return &corev1.Pod{
			Spec: corev1.PodSpec{NodeName: "n"},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name:  names.PullContainer,
				State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
			}}},
		}
	}
	at := func(age time.Duration) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{CreationTimestamp: metav1.NewTime(start.Add(-age))}}
	}
	sidecar := waits("ContainerCreating")
	sidecar.Status.ContainerStatuses = append([]corev1.ContainerStatus{{
		Name: "proxy", ImageID: "sha256:2",
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}, sidecar.Status.ContainerStatuses...)
	strayed := &corev1.Pod{Status: corev1.PodStatus{
		Phase:             corev1.PodSucceeded,
		ContainerStatuses: []corev1.ContainerStatus{made},
	}}
	strayed.Spec.Containers = []corev1.Container{{Name: names.PullContainer, Image: "elsewhere.example/model:1"}}
	cases := map[string]struct {
		reason string
		node   *corev1.Node
		pod    *corev1.Pod
		want   state
	}{
		"Listed":  {"The node says so.", node("n", image), nil, statePresent},
		"None":    {"No pod, no pull.", node("n"), nil, stateGoing},
		"New":     {"Nothing is known yet.", node("n"), at(10 * time.Second), stateGoing},
		"NoPlace": {"The scheduler has had time enough.", node("n"), at(time.Minute), stateFailed},
		"NoTrue": {
			"An image without the command was pulled all the same: the node will list it.", node("n"),
			&corev1.Pod{Status: corev1.PodStatus{
				Phase:             corev1.PodFailed,
				ContainerStatuses: []corev1.ContainerStatus{made},
			}}, statePulled,
		},
		"NotListed": {
			"A node that lists its largest fifty only may have it unlisted.", full,
			&corev1.Pod{Status: corev1.PodStatus{
				Phase:             corev1.PodFailed,
				ContainerStatuses: []corev1.ContainerStatus{made},
			}}, statePresent,
		},
		"Deadline": {
			"It took too long.", node("n"),
			&corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded"}}, stateFailed,
		},
		"BadImage":   {"There is no such image.", node("n"), waits("ErrImagePull"), stateFailed},
		"BeingBuilt": {"ContainerCreating is what a pull looks like.", node("n"), waits("ContainerCreating"), stateGoing},
		"Sidecar":    {"A container that admission added says nothing of the image.", full, sidecar, stateGoing},
		"Strays":     {"What it pulled is another image.", full, strayed, stateFailed},
		"NoConfig": {
			"The kubelet makes a container of an image that it has.", node("n"), waits("CreateContainerError"),
			statePulled,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := stateOf(tc.node, tc.pod, &allocate.Target{Admitted: image, Known: gpuwarm.ImageOf(image)},
				start); got != tc.want {
				t.Errorf("\nReason: %s\ngot %d, want %d", tc.reason, got, tc.want)
			}
		})
	}
}
