package gpuwarm

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func at(secs int) time.Time   { return epoch.Add(time.Duration(secs) * time.Second) }
func mt(secs int) metav1.Time { return metav1.NewTime(at(secs)) }

// cond is a condition that changed at secs.
func cond(t corev1.PodConditionType, s corev1.ConditionStatus, secs int) corev1.PodCondition {
	return corev1.PodCondition{Type: t, Status: s, LastTransitionTime: mt(secs)}
}

type podOption func(*corev1.Pod)

// testPod was created at 0 on node n with one GPU container.
func testPod(opts ...podOption) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", UID: "uid-of-the-pod", CreationTimestamp: mt(0)},
		Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: "proxy", Image: "proxy:1"},
			{Name: "server", Image: "model:1", Resources: corev1.ResourceRequirements{
				Limits: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")},
			}},
		}},
	}
	for _, o := range opts {
		o(p)
	}
	return p
}

func onNode(name string) podOption { return func(p *corev1.Pod) { p.Spec.NodeName = name } }

func conditions(c ...corev1.PodCondition) podOption {
	return func(p *corev1.Pod) { p.Status.Conditions = append(p.Status.Conditions, c...) }
}

func running(secs int, restarts int32) podOption {
	return func(p *corev1.Pod) {
		for _, c := range p.Spec.Containers {
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
				Name: c.Name, ImageID: "registry.example/" + c.Name + "@sha256:" + c.Name, RestartCount: restarts,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: mt(secs)}},
			})
		}
	}
}

func waiting(reason string) podOption {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{
			Name: "server", RestartCount: 4,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		})
	}
}

func testNode(created int, images ...string) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n", CreationTimestamp: mt(created), Labels: map[string]string{
			"karpenter.sh/nodepool": "gpu", "nvidia.com/gpu.product": "H100",
		}},
	}
	for _, i := range images {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
	}
	return n
}

func event(reason, message string) corev1.Event {
	return corev1.Event{InvolvedObject: corev1.ObjectReference{UID: "uid-of-the-pod"}, Reason: reason, Message: message}
}

func TestObserve(t *testing.T) {
	yes, no := corev1.ConditionTrue, corev1.ConditionFalse
	gpu := Key{Image: "model:1", Accelerator: "nvidia.com/gpu"}
	known := Key{Image: "sha256:server", Pool: "gpu", Accelerator: "H100"}
	bound := []podOption{
		onNode("n"),
		conditions(cond(corev1.PodScheduled, yes, 2), cond(corev1.PodInitialized, yes, 3)),
	}
	with := func(more ...podOption) *corev1.Pod {
		return testPod(append(append([]podOption{}, bound...), more...)...)
	}
	base := Start{Pod: "uid-of-the-pod", Name: "p", Created: at(0), Key: gpu}
	placed := base
	placed.Node, placed.Scheduled, placed.Initialized, placed.Key = "n", at(2), at(3), Key{"model:1", "gpu", "H100"}

	cases := map[string]struct {
		reason string
		pod    *corev1.Pod
		node   *corev1.Node
		events []corev1.Event
		want   func() Start
	}{
		"Unscheduled": {
			reason: "Of an unscheduled pod only the creation is known.",
			pod:    testPod(conditions(cond(corev1.PodScheduled, no, 0))),
			want:   func() Start { return base },
		},
		"NodeOrdered": {
			reason: "The cluster autoscaler's event means that a new node is needed.",
			pod:    testPod(conditions(cond(corev1.PodScheduled, no, 0))),
			events: []corev1.Event{event("TriggeredScaleUp", "pod triggered scale-up")},
			want:   func() Start { s := base; s.Path = PathColdNode; return s },
		},
		"ImageThere": {
			reason: "While no container runs, the node's list shows whether it has the image.",
			pod:    with(), node: testNode(-9999, "docker.io/library/model:1"),
			want: func() Start { s := placed; s.Path = PathWarm; return s },
		},
		"ImageMissing": {
			reason: "A list of fewer than fifty images is complete.",
			pod:    with(), node: testNode(-9999, "docker.io/library/model:2"),
			want: func() Start { s := placed; s.Path = PathColdImage; return s },
		},
		"ImagePinned": {
			reason: "A node lists an image with a digest by that digest.",
			pod:    with(func(p *corev1.Pod) { p.Spec.Containers[1].Image = "model:1" + someDigest }),
			node:   testNode(-9999, "docker.io/library/model"+someDigest),
			want:   func() Start { s := placed; s.Key.Image, s.Path = "model:1"+someDigest, PathWarm; return s },
		},
		"ReadyWarm": {
			reason: "A container that started a second after initialization did not pull.",
			pod:    with(running(4, 0), conditions(cond(corev1.PodReady, yes, 60))), node: testNode(-9999),
			want: func() Start {
				s := placed
				s.Key, s.Started, s.Ready, s.Path = known, at(4), at(60), PathWarm
				return s
			},
		},
		"ReadyColdImage": {
			reason: "A container that started minutes later did pull.",
			pod:    with(running(240, 0), conditions(cond(corev1.PodReady, yes, 300))),
			node:   testNode(-9999, "model:1"),
			want: func() Start {
				s := placed
				s.Key, s.Started, s.Ready, s.Path = known, at(240), at(300), PathColdImage
				return s
			},
		},
		"ReadyColdNode": {
			reason: "A node that was created between pod and binding is new.",
			pod: testPod(
				onNode("n"),
				conditions(cond(corev1.PodScheduled, yes, 120), cond(corev1.PodInitialized, yes, 121),
					cond(corev1.PodReady, yes, 400)),
				running(300, 0),
			),
			node: testNode(80),
			want: func() Start {
				s := placed
				s.Key, s.Path = known, PathColdNode
				s.Scheduled, s.Initialized, s.Started, s.Ready = at(120), at(121), at(300), at(400)
				return s
			},
		},
		"EventsBeatTimes": {
			reason: "Slow volumes are no pull: by the kubelet's event the image was present.",
			pod:    with(running(60, 0)), node: testNode(-9999),
			events: []corev1.Event{
				event("Pulled", `Container image "model:1" already present on machine and can be accessed by the pod`),
			},
			want: func() Start { s := placed; s.Key, s.Started, s.Path = known, at(60), PathWarm; return s },
		},
		"PullTimed": {
			reason: "The time of the pull by the kubelet's event, including the wait.",
			pod:    with(running(250, 0)), node: testNode(-9999),
			events: []corev1.Event{
				event("Pulled", `Container image "proxy:1" already present on machine`),
				event("Pulled", `Successfully pulled image "model:1" in 3m2.5s (4m5s including waiting). `+
					`Image size: 9876543210 bytes.`),
			},
			want: func() Start {
				s := placed
				s.Key, s.Started, s.Pull, s.Path = known, at(250), 245*time.Second, PathColdImage
				return s
			},
		},
		"AlwaysPull": {
			reason: "imagePullPolicy Always with the image present takes no time: warm.",
			pod:    with(running(4, 0)), node: testNode(-9999),
			events: []corev1.Event{
				event("Pulling", `Pulling image "model:1"`),
				event("Pulled", `Successfully pulled image "model:1" in 310ms (310ms including waiting)`),
			},
			want: func() Start {
				s := placed
				s.Key, s.Started, s.Pull, s.Path = known, at(4), 310*time.Millisecond, PathWarm
				return s
			},
		},
		"NodeBehind": {
			reason: "A node whose clock is 30 s behind: its times move to after the binding.",
			pod: testPod(
				onNode("n"),
				conditions(cond(corev1.PodScheduled, yes, 2), cond(corev1.PodInitialized, yes, -27),
					cond(corev1.PodReady, yes, 31)),
				running(-26, 0),
			),
			node: testNode(-9999),
			want: func() Start {
				s := placed
				s.Key, s.Initialized, s.Started, s.Ready, s.Path = known, at(2), at(3), at(60), PathWarm
				return s
			},
		},
		"CrashLoop": {
			reason: "A crash loop does not become Ready by waiting.",
			pod:    with(waiting("CrashLoopBackOff")), node: testNode(-9999),
			want: func() Start { s := placed; s.Restarts, s.Failure = 4, "CrashLoopBackOff"; return s },
		},
		"Deleted": {
			reason: "A deleted pod ended at the request, not at the end of the grace period.",
			pod: with(func(p *corev1.Pod) {
				when, grace := mt(130), int64(30)
				p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &when, &grace
			}), node: testNode(-9999, "model:1"),
			want: func() Start { s := placed; s.Ended, s.Path = at(100), PathWarm; return s },
		},
		"Evicted": {
			reason: "A failed pod without container states ended at its last change.",
			pod: with(conditions(cond(corev1.PodReady, no, 3)), func(p *corev1.Pod) {
				p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted"
			}), node: testNode(-9999, "model:1"),
			want: func() Start { s := placed; s.Ended, s.Failure, s.Path = at(3), "Evicted", PathWarm; return s },
		},
		"Flapped": {
			reason: "A Ready condition that became False long after the first status was True before.",
			pod:    with(running(4, 0), conditions(cond(corev1.PodReady, no, 5000))), node: testNode(-9999),
			want: func() Start {
				s := placed
				s.Key, s.Started, s.Unready, s.Path = known, at(4), at(5000), PathWarm
				return s
			},
		},
		"NotReadyYet": {
			reason: "A Ready condition that is False since the first status never was True.",
			pod:    with(running(4, 0), conditions(cond(corev1.PodReady, no, 3))), node: testNode(-9999),
			want: func() Start { s := placed; s.Key, s.Started, s.Path = known, at(4), PathWarm; return s },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			before := tc.pod.DeepCopy()
			got := Observe(tc.pod, tc.node, tc.events)
			if diff := cmp.Diff(tc.want(), got); diff != "" {
				t.Errorf("\nReason: %s\n-want, +got:\n%s", tc.reason, diff)
			}
			if diff := cmp.Diff(before, tc.pod); diff != "" {
				t.Errorf("Observe changed the pod:\n%s", diff)
			}
		})
	}
}
