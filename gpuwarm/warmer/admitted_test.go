package warmer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

const (
	mirrored = "mirror.example/hub/model:1"
	digest   = "@sha256:0123456789012345678901234567890123456789012345678901234567890123"
	another  = "@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
)

// toMirror is a webhook that replaces the registry by a mirror.
func toMirror(p *corev1.Pod) {
	for i := range p.Spec.Containers {
		c := &p.Spec.Containers[i]
		c.Image = strings.Replace(c.Image, "registry.example/", "mirror.example/hub/", 1)
	}
}

// pulls counts the pull pods that were created.
func (w *world) pulls() (n int) {
	for _, what := range w.writes {
		if what == "create Pod" {
			n++
		}
	}
	return n - w.pods // those are replicas
}

// kubelet ends all pulls: their nodes list the pulled image, or what its name was resolved to.
func (w *world) kubelet(came string) {
	w.t.Helper()
	for _, p := range w.ours(names.RolePull) {
		on, got := pullTargets([]corev1.Pod{p})[0], p.Spec.Containers[0].Image
		if p.Spec.NodeName == "" {
			w.bind(&p, on)
		}
		p.Status.Phase = corev1.PodSucceeded
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name: names.PullContainer, ImageID: came,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
		}}
		w.must(w.client.Status().Update(w.t.Context(), &p))
		if came == "" {
			w.lists(on, got)
		} else {
			w.lists(on, strings.TrimPrefix(came, "docker-pullable://"))
		}
	}
}

// rolledOut sets the target's status: all of so many replicas were made from its template, or a
// rollout is going on.
func (w *world) rolledOut(replicas int32, done bool) {
	w.t.Helper()
	var d appsv1.Deployment
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(deployment()), &d))
	d.Status.Replicas, d.Status.UpdatedReplicas, d.Status.ObservedGeneration = replicas, replicas, d.Generation
	if !done {
		d.Status.UpdatedReplicas = 0
	}
	w.must(w.client.Status().Update(w.t.Context(), &d))
	w.must(w.client.Update(w.t.Context(), &d))
}

// replicaWith creates a replica on a node, with the image that admission gave it.
func (w *world) replicaWith(node, image string) {
	w.t.Helper()
	p := w.replica(node)
	p.Spec.Containers[0].Image = image
	w.must(w.client.Update(w.t.Context(), p))
}

// A webhook replaces the registry by a mirror. Nodes that list the mirror's name have the image,
// and pull it once.
func TestImagesFromAMirror(t *testing.T) {
	w := newWorld(t, strings.Repeat("40 ", 720), pool(noNodes), node("a"), node("b"), node("c"), node("d"))
	w.admit = toMirror
	var s v1alpha1.WarmPoolStatus
	for look := range 4 * 60 {
		s = w.look(float64(look) / 4)
		w.kubelet("")
	}
	if s.Forecasts[0].ImageNodesReady != 4 || reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" ||
		w.pulls() != 4 || len(w.ours(names.RolePull)) != 0 {
		t.Fatalf("%d pulls in an hour for four nodes, %d left: %+v", w.pulls(), len(w.ours(names.RolePull)), s)
	}
	w.restart()
	w.look(60)
	if s = w.look(60.25); s.Forecasts[0].ImageNodesReady != 4 || w.pulls() != 5 {
		t.Errorf("a restart costs one pull, and not %d: %+v", w.pulls()-4, s.Forecasts[0])
	}
	w.replicaWith("a", mirrored)
	w.rolledOut(1, true)
	w.look(60.5)
	w.restart()
	if s = w.look(60.75); s.Forecasts[0].ImageNodesReady != 4 || w.pulls() != 5 {
		t.Errorf("and none where a replica shows the mirror's name: %d, %+v", w.pulls()-5, s.Forecasts[0])
	}
}

// A node has the image only if it lists a name that replicas get.
func TestImagesThatAdmissionChanges(t *testing.T) {
	cases := map[string]struct {
		reason  string
		replica string // image of the replica that there is
		rolling bool   // a rollout goes on
		lists   string
		want    bool
	}{
		"Template":    {"nothing is known: it is what the template asks for", "", false, image, true},
		"Unknown":     {"which a mirror's is not", "", false, mirrored, false},
		"Mirror":      {"a replica shows the mirror's name", mirrored, false, mirrored, true},
		"NotTemplate": {"and then the template's is not what the next one has", mirrored, false, image, false},
		"OtherTag": {
			"of the mirror, too, another tag is another image", mirrored, false, "mirror.example/hub/model:2",
			false,
		},
		"OtherProject": {"and so is another repository", mirrored, false, "mirror.example/other/model:1", false},
		"Rollout": {
			"in a rollout a replica may be of another template, which had the image in another registry",
			mirrored, true, mirrored, false,
		},
		"Edited": {
			"somebody changed the image of this pod, so the next replica will differ",
			"registry.example/model:debug", false, "registry.example/model:debug", false,
		},
		"Resolved": {
			"a webhook may pin tags by their digest", "registry.example/model" + digest, false,
			"registry.example/model" + digest, true,
		},
		"OtherDigest": {
			"another digest is another image", "registry.example/model" + digest, false,
			"registry.example/model" + another, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Repeat("10 ", 720), pool(noNodes), node("a", tc.lists))
			if tc.replica != "" {
				w.replicaWith("a", tc.replica)
				w.rolledOut(1, !tc.rolling)
			}
			if s := w.look(0); (s.Forecasts[0].ImageNodesReady == 1) != tc.want || s.Forecasts[0].ImageNodes != 1 {
				t.Errorf("\nReason: %s\n%+v", tc.reason, s.Forecasts[0])
			}
			if n := w.pulls(); (n == 0) != tc.want {
				t.Errorf("\nReason: %s\n%d pulls", tc.reason, n)
			}
		})
	}
}

// The digest of a tag can change. The newest replica has the one that the next replica will get.
func TestTheNewestReplicaCounts(t *testing.T) {
	w := newWorld(t, strings.Repeat("20 ", 720), pool(noNodes), node("a", "registry.example/model"+digest),
		node("b", "registry.example/model"+another))
	w.replicaWith("a", "registry.example/model"+another) // by name the first
	w.clock.Step(time.Minute)
	w.replicaWith("b", "registry.example/model"+digest)
	w.rolledOut(2, true)
	if s := w.look(2); s.Forecasts[0].ImageNodesReady != 1 || pullTargets(w.ours(names.RolePull))[0] != "b" {
		t.Errorf("only a has what the newest replica has: %+v, %v pull", s.Forecasts[0], pullTargets(w.ours(names.RolePull)))
	}
}

// The image that a replica showed still counts while a rollout of the same template hides it. It
// does not count for another template.
func TestAdmittedImageStillCounts(t *testing.T) {
	w := newWorld(t, strings.Repeat("10 ", 720), pool(noNodes), node("a", mirrored))
	w.replicaWith("a", mirrored)
	w.rolledOut(1, true)
	w.look(0)
	w.rolledOut(1, false)
	if s := w.look(0.25); s.Forecasts[0].ImageNodesReady != 1 {
		t.Errorf("the template is the same: %+v", s.Forecasts[0])
	}
	changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Image = "moved.example/team/model:1" })(w, nil)
	if s := w.look(0.5); s.Forecasts[0].ImageNodesReady != 0 {
		t.Errorf("the template is another: %+v", s.Forecasts[0])
	}
}

// While a target cannot be read, its template may change. The images of its replicas then say
// nothing about the old template.
func TestReplicasOfATemplateThatCannotBeRead(t *testing.T) {
	w := newWorld(t, strings.Repeat("10 ", 720), pool(noNodes), node("a", image))
	w.replicaWith("a", image)
	w.rolledOut(1, true)
	w.look(0)
	w.unread = func(kind string) error {
		if kind == "Deployment" {
			return errInternal
		}
		return nil
	}
	w.must(w.client.Delete(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "model-1"}}))
	w.replicaWith("a", mirrored)
	_, _ = w.tryLook(0.25)
	known := w.state().images
	for key, got := range known {
		if key.Image != image || got.Replica != image {
			t.Errorf("%s became %s", key.Image, got.Replica)
		}
	}
	if len(known) != 1 {
		t.Errorf("what is known should be kept: %v", known)
	}
}

// A runtime that gets an image from another registry lists it under that name, and by the digest
// that the pull was resolved to.
func TestImagesByResolvedDigest(t *testing.T) {
	w := newWorld(t, strings.Repeat("40 ", 720), pool(noNodes), node("a"), node("b"),
		node("c", "found.example/model"+digest), node("d", "found.example/model"+another))
	came := "docker-pullable://found.example/model" + digest
	w.look(0)
	w.kubelet(came) // a and b
	if s := w.look(0.25); s.Forecasts[0].ImageNodesReady != 3 {
		t.Errorf("pulls were resolved to what c lists, too: %+v", s.Forecasts[0])
	}
	w.look(0.5)
	if diff := cmp.Diff([]string{"d"}, pullTargets(w.ours(names.RolePull))); diff != "" {
		t.Errorf("what d lists is another image: %s", diff)
	}
	w.kubelet(came)
	for look := range 4 * 60 {
		if s := w.look(0.75 + float64(look)/4); s.Forecasts[0].ImageNodesReady != 4 {
			t.Fatalf("all have it: %+v", s.Forecasts[0])
		}
	}
	if n := w.pulls(); n != 3 {
		t.Errorf("%d pulls onto three nodes that lacked it", n)
	}
	w.replicaWith("a", "registry.example/model"+another)
	w.rolledOut(1, true)
	if s := w.look(61); s.Forecasts[0].ImageNodesReady != 0 {
		t.Errorf("replicas have another image since, and the digest of the earlier pulls is not that image: %+v",
			s.Forecasts[0])
	}
}

// OpenKruise calls no webhook, so its job names the image that replicas get.
func TestImagePullJobFromAMirror(t *testing.T) {
	w := newWorld(t, strings.Repeat("20 ", 720), pool(noNodes), node("a", mirrored), node("b"))
	w.mapper.there["ImagePullJob"] = true
	w.replicaWith("a", mirrored)
	w.rolledOut(1, true)
	w.look(0)
	job := kube.NewObject(kube.ImagePullJob, "shop", names.Object("shop", "warm", "demand"))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(job), job))
	got, _, _ := unstructured.NestedString(job.Object, "spec", "image")
	if onto, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names"); got != mirrored ||
		fmt.Sprint(onto) != "[b]" {
		t.Errorf("%s is pulled onto %v, want the mirror's onto b", got, onto)
	}
}

// A webhook may treat replicas and pull pods differently. Pull pods then name the image that
// replicas get. If they do not get it either, that is reported, and they are tried ever more
// rarely.
func TestWebhookThatTreatsPullsDifferently(t *testing.T) {
	cases := map[string]struct {
		reason string
		admit  func(*corev1.Pod)
		most   int // pulls in an hour
		warm   bool
	}{
		"Left": {"pull pods are left as they are", nil, 3, true},
		"Changed": {
			"pull pods always get another image than they name",
			func(p *corev1.Pod) { p.Spec.Containers[0].Image = "elsewhere.example/" + p.Spec.Containers[0].Image }, 22, false,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Repeat("20 ", 720), pool(noNodes), node("a"), node("b"))
			w.replicaWith("a", mirrored)
			w.rolledOut(1, true)
			w.admit = tc.admit
			reported := false
			var s v1alpha1.WarmPoolStatus
			for look := range 4 * 60 {
				s = w.look(float64(look) / 4)
				reported = reported || (reasonOf(s, v1alpha1.ConditionImagesWarm) == "False PullFails" &&
					strings.Contains(s.Forecasts[0].Message, "admission"))
				w.kubelet("")
			}
			if n := w.pulls(); n > tc.most || (s.Forecasts[0].ImageNodesReady == 2) != tc.warm || reported == tc.warm {
				t.Errorf("\nReason: %s\n%d pulls in an hour, want at most %d; reported is %t: %+v", tc.reason, n, tc.most,
					reported, s)
			}
		})
	}
}

// Pulls that name the image that replicas get go on after a restart.
func TestPullsOfWhatReplicasHaveOutliveARestart(t *testing.T) {
	w := newWorld(t, steady, pool(noNodes), node("a", mirrored), node("b"))
	w.replicaWith("a", mirrored)
	w.rolledOut(1, true)
	w.look(0)
	w.look(0.25)
	before := w.ours(names.RolePull)
	if len(before) != 1 || before[0].Spec.Containers[0].Image != mirrored {
		t.Fatalf("webhooks leave pull pods as they are, so one asks for the mirror's: %+v", before)
	}
	w.bind(&before[0], "b")
	w.restart()
	for look := range 3 {
		w.look(0.5 + float64(look)/4)
		if after := w.ours(names.RolePull); len(after) != 1 || after[0].UID != before[0].UID {
			t.Errorf("look %d: the pull is begun again", look)
		}
	}
}

// A pull pod that the cache does not show yet says nothing about what admission does to the image.
// It keeps no other node from pulling.
func TestALatePullPodKeepsNoOtherFromIt(t *testing.T) {
	w := newWorld(t, strings.Repeat("30 ", 720), pool(noNodes), node("a", mirrored), node("b"), node("c"))
	w.replicaWith("a", mirrored)
	w.rolledOut(1, true)
	w.admit = toMirror
	w.refuse = func(_ string, o client.Object) error {
		if o.GetLabels()[names.LabelNode] == names.Hash("b") {
			return apierrors.NewAlreadyExists(corev1.Resource("pods"), o.GetName())
		}
		return nil
	}
	w.look(0)
	if diff := cmp.Diff([]string{"c"}, pullTargets(w.ours(names.RolePull))); diff != "" {
		t.Error(diff)
	}
}

// Admission may change a pod in any way, and nothing panics.
func TestAdmissionThatTakesContainersAway(t *testing.T) {
	w := newWorld(t, strings.Repeat("10 ", 720), pool(noNodes), node("a"))
	w.admit = func(p *corev1.Pod) { p.Spec.Containers = nil }
	for look := range 4 {
		w.look(float64(look) / 4)
	}
	if known := gpuwarm.ImageOf(""); known.ListedOn(node("a", "")) {
		t.Error("an empty name is not an image")
	}
}
