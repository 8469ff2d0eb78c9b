package warmer

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// fifty images that no target uses.
var fifty = func() (out []string) {
	for i := range 50 {
		out = append(out, fmt.Sprint("other-", i))
	}
	return out
}()

// twelve hours of two replicas.
var steady = strings.Repeat("20 ", 720)

// failing has the kubelets of those nodes report that pulls fail. With "" no pod gets a node at
// all.
func (w *world) failing(reason string, nodes ...string) {
	w.t.Helper()
	for _, p := range w.ours(names.RolePull) {
		on := pullTargets([]corev1.Pod{p})[0]
		if len(nodes) > 0 && !strings.Contains(strings.Join(nodes, " "), on) {
			continue
		}
		if reason == "" {
			continue
		}
		if p.Spec.NodeName == "" {
			w.bind(&p, on)
		}
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{
			Name:  names.PullContainer,
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "manifest unknown"}},
		}}
		w.must(w.client.Status().Update(w.t.Context(), &p))
	}
}

// podWrites counts the pods that were created and deleted.
func (w *world) podWrites() int {
	n := 0
	for _, what := range w.writes {
		if what == "create Pod" || what == "delete Pod" {
			n++
		}
	}
	return n
}

// A pull that fails, or whose pod finds no place, makes room for another node's, is reported, and
// is tried again later. Once it succeeds nothing is reported any more.
func TestAFailingPullKeepsNoOtherFromIt(t *testing.T) {
	cases := map[string]struct {
		reason, says string
		seconds      float64 // until it is seen
	}{
		"Fails":   {"ErrImagePull", "ErrImagePull (manifest unknown)", 15},
		"NoPlace": {"", "finds no place there", 30},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Repeat("40 ", 60), pool(noNodes), node("a"), node("b"), node("c"), node("d"))
			w.look(0)
			if diff := cmp.Diff([]string{"a", "b"}, pullTargets(w.ours(names.RolePull))); diff != "" {
				t.Fatalf("two at a time: %s", diff)
			}
			w.failing(tc.reason)
			s := w.look(tc.seconds / 60)
			if diff := cmp.Diff([]string{"c", "d"}, pullTargets(w.ours(names.RolePull))); diff != "" {
				t.Fatalf("others should pull instead: %s", diff)
			}
			if got := reasonOf(s, v1alpha1.ConditionImagesWarm); got != "False PullFails" && got != "False InProgress" {
				t.Errorf("ImagesWarm is %q", got)
			}
			s = w.look(tc.seconds/60 + 0.01)
			if got := reasonOf(s, v1alpha1.ConditionImagesWarm); got != "False PullFails" ||
				!strings.Contains(s.Forecasts[0].Message, "node a and 1 others: ") ||
				!strings.Contains(s.Forecasts[0].Message, tc.says) {
				t.Errorf("ImagesWarm is %q: %+v", got, s.Forecasts)
			}
			w.lists("c", image)
			w.lists("d", image)
			w.look(tc.seconds/60 + 0.3)
			if n := len(w.ours(names.RolePull)); n != 0 {
				t.Errorf("it is too early to try again, but %d do", n)
			}
			w.look(tc.seconds/60 + 0.6)
			if diff := cmp.Diff([]string{"a", "b"}, pullTargets(w.ours(names.RolePull))); diff != "" {
				t.Errorf("half a minute later it should be tried again: %s", diff)
			}
			w.lists("a", image)
			w.lists("b", image)
			if s = w.look(tc.seconds/60 + 0.9); reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" {
				t.Errorf("all have the image: %+v", s)
			}
		})
	}
}

// An image that does not exist costs few requests, however many nodes should have it. Once it
// exists all nodes have it soon.
func TestAnImageThatDoesNotExist(t *testing.T) {
	many := func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 10 }
	objects := []client.Object{pool(noNodes, many)}
	for i := range 100 {
		objects = append(objects, node(fmt.Sprintf("n%03d", i)))
	}
	w := newWorld(t, strings.Repeat("1000 ", 720), objects...)
	perMinute := func(from int) (most int) {
		for minute := from; minute < from+20; minute++ {
			writes := w.podWrites()
			for quarter := range 4 {
				s := w.look(float64(minute) + float64(quarter)/4)
				if minute > from && reasonOf(s, v1alpha1.ConditionImagesWarm) != "False PullFails" {
					t.Fatalf("minute %d: %+v", minute, s.Conditions)
				}
				w.failing("ImagePullBackOff")
			}
			most = max(most, w.podWrites()-writes)
		}
		return most
	}
	if first := perMinute(0); first > 22 {
		t.Errorf("%d writes a minute, want at most ten pods made and removed, and a try", first)
	}
	if later := perMinute(20); later > 2 {
		t.Errorf("%d writes a minute later on, want at most one try", later)
	}
	for quarter := range 4 * 25 {
		w.look(40 + float64(quarter)/4)
		for _, p := range w.ours(names.RolePull) {
			w.lists(pullTargets([]corev1.Pod{p})[0], image)
		}
	}
	if s := w.look(65); reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" ||
		s.Forecasts[0].ImageNodesReady != 100 {
		t.Errorf("the image is there since 25 minutes: %+v", s)
	}
}

// An image that is gone from the registry costs few requests, although one node still has it.
func TestAnImageThatOneNodeHasStill(t *testing.T) {
	objects := []client.Object{
		pool(noNodes, func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 10 }),
		node("has", image),
	}
	for i := range 100 {
		objects = append(objects, node(fmt.Sprintf("n%03d", i)))
	}
	w := newWorld(t, strings.Repeat("1010 ", 720), objects...)
	for minute := range 60 {
		writes := w.podWrites()
		for quarter := range 4 {
			w.look(float64(minute) + float64(quarter)/4)
			w.failing("ImagePullBackOff")
		}
		if most := map[bool]int{true: 26, false: 6}[minute == 0]; w.podWrites()-writes > most {
			t.Errorf("%d writes in minute %d, want at most %d", w.podWrites()-writes, minute, most)
		}
	}
	if n := w.podWrites(); n > 100 {
		t.Errorf("%d writes in an hour, want at most three tries in ten minutes, but for the first", n)
	}
	// It is there again: after the first pull that succeeds all others go on.
	for quarter := range 4 * 20 {
		w.look(60 + float64(quarter)/4)
		for _, p := range w.ours(names.RolePull) {
			w.lists(pullTargets([]corev1.Pod{p})[0], image)
		}
	}
	if s := w.look(80); s.Forecasts[0].ImageNodesReady != 101 {
		t.Errorf("the image is there since 20 minutes: %+v", s)
	}
}

// A node that removed the image, or that replaced another one, pulls it again. The former does so
// ever more rarely, and that is reported.
func TestImagesThatGo(t *testing.T) {
	const minutes = 60
	cases := map[string]struct {
		reason   string
		gone     func(w *world)
		after    int // looks after it came
		most     int // pulls in an hour
		reported bool
	}{
		"Collected": {"a kubelet removes the image two minutes after each pull", func(w *world) { w.lists("a") }, 8, 9, true},
		"Late": {
			"an image that stays for long is not removed for lack of space", func(w *world) { w.lists("a") }, 4 * 15,
			4, true,
		},
		"Unlisted": {
			"an image beyond the fifty that are listed may be there, and a pull that ends at once shows it",
			func(w *world) { w.lists("a", fifty...) }, 8, 3, false,
		},
		"NewNode": {"another node with that name never had it", func(w *world) {
			w.must(w.client.Delete(w.t.Context(), node("a")))
			n := node("a")
			n.UID = types.UID(w.clock.Now().String())
			w.must(w.client.Create(w.t.Context(), n))
		}, 8, 30, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes), node("a"))
			pulls, reported, came := 0, false, 0
			for look := range 4 * minutes {
				s := w.look(float64(look) / 4)
				reported = reported || (reasonOf(s, v1alpha1.ConditionImagesWarm) == "False PullFails" &&
					strings.Contains(s.Forecasts[0].Message, "it was there and is gone"))
				for _, p := range w.ours(names.RolePull) {
					if p.Spec.NodeName == "" {
						pulls++
						w.bind(&p, "a")
						p.Status.Phase = corev1.PodSucceeded
						p.Status.ContainerStatuses = []corev1.ContainerStatus{{
							Name: names.PullContainer, ImageID: "sha256:1",
							State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
						}}
						w.must(w.client.Status().Update(t.Context(), &p))
						if name != "Unlisted" || pulls == 1 {
							w.lists("a", image)
							came = look
						}
					}
				}
				if look == came+tc.after {
					tc.gone(w)
				}
			}
			if pulls < 2 || pulls > tc.most || reported != tc.reported {
				t.Errorf("\nReason: %s\n%d pulls in an hour, want at most %d; reported is %t, want %t", tc.reason, pulls, tc.most,
					reported, tc.reported)
			}
		})
	}
}

// A denial of pull pods is reported with what can be done about it.
func TestDeniedPulls(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	cases := map[string]struct{ text, reason, says string }{
		"Exceeded": {
			"exceeded quota: few, requested: requests.cpu=10m, used: requests.cpu=2, limited: requests.cpu=2",
			"False QuotaDenied", "raise the quota",
		},
		"Unsaid": {
			"failed quota: few: must specify requests.ephemeral-storage for: pull", "False QuotaDenied",
			"LimitRange",
		},
		"LimitRange":  {"minimum cpu usage per Container is 100m, but request is 10m", "False Denied", "LimitRange admit"},
		"PodSecurity": {`violates PodSecurity "restricted:latest": x`, "False Denied", "pod security"},
		"Rights": {
			`User "headstart" cannot create resource "pods" in API group "" in the namespace "shop"`,
			"False Denied", "headstart-warm-namespace",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes), node("a"))
			w.refuse = func(string, client.Object) error { return apierrors.NewForbidden(pods, "x", errors.New(tc.text)) }
			s := w.look(0)
			if got := reasonOf(s, v1alpha1.ConditionImagesWarm); got != tc.reason ||
				!strings.Contains(s.Forecasts[0].Message, tc.says) {
				t.Errorf("ImagesWarm is %q: %+v", got, s.Forecasts)
			}
		})
	}
}

// A quota on CPU or memory admits only pods with requests. Without such a quota pull pods request
// nothing: a placeholder may leave no room on its node.
func TestPullsSayWhatTheyAskFor(t *testing.T) {
	cases := map[string]struct {
		hard string
		asks bool
	}{
		"None": {"", false}, "GPUs": {"requests.nvidia.com/gpu", false}, "Pods": {"pods", false},
		"CPU": {"cpu", true}, "Requests": {"requests.memory", true}, "Limits": {"limits.cpu", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes), node("a"))
			if tc.hard != "" {
				q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "few"}}
				q.Spec.Hard = corev1.ResourceList{corev1.ResourceName(tc.hard): resource.MustParse("4")}
				w.must(w.client.Create(t.Context(), q))
			}
			w.look(0)
			got := w.ours(names.RolePull)[0].Spec.Containers[0].Resources
			for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
				request, limit := got.Requests[name], got.Limits[name]
				if request.IsZero() == tc.asks || request.Cmp(limit) != 0 {
					t.Errorf("%s: requests %s, limited to %s", name, request.String(), limit.String())
				}
			}
		})
	}
}
