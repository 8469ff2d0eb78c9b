package warmer

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

const image = "registry.example/model:1"

func noNodes(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }

func pullTargets(pods []corev1.Pod) []string {
	var out []string
	for _, p := range pods {
		required := p.Spec.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
		out = append(out, required.NodeSelectorTerms[0].MatchFields[0].Values[0])
	}
	slices.Sort(out)
	return out
}

// lists sets the images that a node lists.
func (w *world) lists(name string, images ...string) {
	w.t.Helper()
	n := node(name)
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(n), n))
	n.Status.Images = nil
	for _, i := range images {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: []string{i}})
	}
	w.must(w.client.Status().Update(w.t.Context(), n))
}

func TestImagesAheadOfThePlan(t *testing.T) {
	cordoned := node("x")
	cordoned.Spec.Unschedulable = true
	foreign := node("y")
	foreign.Labels = nil
	objects := []client.Object{pool(noNodes), cordoned, foreign, node("a", image)}
	for _, n := range []string{"b", "c", "d", "e", "f"} {
		objects = append(objects, node(n))
	}
	w := newWorld(t, ramp, objects...)
	w.replica("a")
	if s := w.look(0); len(w.ours(names.RolePull)) != 0 || s.Forecasts[0].ImageNodes != 1 ||
		s.Forecasts[0].ImageNodesReady != 1 {
		t.Fatalf("only the node of the replica needs the image yet: %+v", s.Forecasts)
	}
	s := w.look(2)
	if diff := cmp.Diff([]string{"b", "c"}, pullTargets(w.ours(names.RolePull))); diff != "" ||
		s.Forecasts[0].ImageNodes != 5 {
		t.Fatalf("two at a time on nodes that may have the target: %s, %+v", diff, s.Forecasts)
	}
	p := w.ours(names.RolePull)[0]
	if p.Namespace != "shop" || p.Spec.ServiceAccountName != "model" || p.Spec.ImagePullSecrets[0].Name != "registry" ||
		p.Spec.Containers[0].Image != image ||
		p.Spec.Containers[0].Resources.Requests.Cpu().MilliValue() > 10 || p.OwnerReferences[0].UID != "pool-uid" {
		t.Errorf("a pull needs the target's credentials, asks for next to nothing and goes with its WarmPool: %+v", p)
	}
	w.lists("b", image)
	w.lists("c", "registry.example/model@sha256:abc", image)
	w.look(2.25)
	if diff := cmp.Diff([]string{"d", "e"}, pullTargets(w.ours(names.RolePull))); diff != "" {
		t.Errorf("the next two: %s", diff)
	}
	w.lists("d", image)
	w.lists("e", image)
	s = w.look(2.5)
	if len(w.ours(names.RolePull)) != 0 || reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" {
		t.Errorf("all have it, but %v still pull: %+v", pullTargets(w.ours(names.RolePull)), s.Conditions)
	}
	// A rollout: the nodes of the plan need the new image.
	changeTemplate(func(s *corev1.PodSpec) { s.Containers[0].Image = "registry.example/model:2" })(w, nil)
	if s = w.look(2.75); len(w.ours(names.RolePull)) != 2 || s.Forecasts[0].ImageNodesReady != 0 {
		t.Errorf("the new image should be pulled: %+v", s.Forecasts)
	}
	for _, p := range w.ours(names.RolePull) {
		w.bind(&p, pullTargets([]corev1.Pod{p})[0])
	}
	if w.look(9); len(w.ours(names.RolePull)) != 1 {
		t.Errorf("the peak is over: only the replica's node should have it, but %v pull", pullTargets(w.ours(names.RolePull)))
	}
}

// The scheduler uses free nodes before it evicts placeholders. So both get the image, and held
// nodes come first.
func TestHeldNodesPullFirst(t *testing.T) {
	one := func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 1 }
	w := newWorld(t, "20 20 20 20 20 20 20", pool(one), node("a"), node("b"), node("z"))
	w.look(0)
	if diff := cmp.Diff([]string{"a"}, pullTargets(w.ours(names.RolePull))); diff != "" {
		t.Fatalf("while nothing is held, free nodes pull: %s", diff)
	}
	held := w.ours(names.RolePlaceholder)
	w.bind(&held[0], "z")
	w.lists("a", image)
	if s := w.look(0.25); s.Forecasts[0].ImageNodes != 3 {
		t.Errorf("the held node and two free ones should have the image: %+v", s.Forecasts)
	}
	if diff := cmp.Diff([]string{"z"}, pullTargets(w.ours(names.RolePull))); diff != "" {
		t.Errorf("the node that is held is next: %s", diff)
	}
}

func TestImagePullJob(t *testing.T) {
	w := newWorld(t, ramp, pool(noNodes), node("a"), node("b"), node("c"), node("d"), node("e"))
	w.mapper.there["ImagePullJob"] = true
	get := func() *unstructured.Unstructured {
		t.Helper()
		u := kube.NewObject(kube.ImagePullJob, "shop", names.Object("shop", "warm", "demand"))
		if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			return nil
		}
		return u
	}
	w.look(2)
	job := get()
	if job == nil || len(w.ours(names.RolePull)) != 0 {
		t.Fatalf("a job should pull, no pods of ours: %v", w.writes)
	}
	onto, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names")
	parallel, _, _ := unstructured.NestedInt64(job.Object, "spec", "parallelism")
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, onto); diff != "" || parallel != 2 {
		t.Errorf("nodes %s, parallelism %d", diff, parallel)
	}
	w.lists("a", image)
	writes := len(w.writes)
	if w.look(2.25); len(w.writes) != writes {
		t.Errorf("a job that runs should be left alone: %v", w.writes[writes:])
	}
	// While the job runs, one node comes up and another is deleted: the job is extended, not replaced.
	w.must(w.client.Create(t.Context(), node("f")))
	w.must(w.client.Delete(t.Context(), node("c")))
	writes = len(w.writes)
	w.look(2.5)
	if onto, _, _ = unstructured.NestedStringSlice(get().Object, "spec", "selector", "names"); !slices.Equal(onto,
		[]string{"a", "b", "d", "e", "f"}) || get().GetUID() != job.GetUID() {
		t.Errorf("the job should go on for what is there now: %v", onto)
	}
	if diff := cmp.Diff([]string{"update ImagePullJob"}, w.writes[writes:]); diff != "" {
		t.Errorf("one update: %s", diff)
	}
	w.must(w.client.Create(t.Context(), node("c")))
	w.refuse = func(string, client.Object) error {
		return apierrors.NewConflict(schema.GroupResource{}, "x", errors.New("changed"))
	}
	if _, err := w.tryLook(2.6); err != nil {
		t.Errorf("a job whose status changed meanwhile is for the next look: %v", err)
	}
	w.refuse = nil
	w.look(2.7)
	// The job has completed, but e has no image: one new job for e.
	for _, n := range []string{"b", "c", "d", "f"} {
		w.lists(n, image)
	}
	job = get()
	w.must(unstructured.SetNestedField(job.Object, "2026-03-01T12:03:00Z", "status", "completionTime"))
	w.must(unstructured.SetNestedField(job.Object, int64(1), "status", "failed"))
	w.must(w.client.Update(t.Context(), job))
	s := w.look(3)
	if !strings.Contains(s.Forecasts[0].Message, "onto 1 nodes") {
		t.Errorf("the failure should be reported: %+v", s.Forecasts)
	}
	w.look(3.25)
	if onto, _, _ = unstructured.NestedStringSlice(get().Object, "spec", "selector", "names"); !slices.Equal(onto,
		[]string{"e"}) {
		t.Errorf("the next job is for e, not %v", onto)
	}
	// The CRD vanishes.
	w.mapper.there["ImagePullJob"] = false
	s = w.look(3.5)
	if diff := cmp.Diff([]string{"e"}, pullTargets(w.ours(names.RolePull))); diff != "" ||
		s.Forecasts[0].ImagesBy != "Pods" {
		t.Errorf("pods should take over: %s %+v", diff, s.Forecasts)
	}
}

// A job without our annotations is still extended.
func TestImagePullJobWithoutAnnotations(t *testing.T) {
	w := newWorld(t, steady, pool(noNodes), node("a"))
	w.mapper.there["ImagePullJob"] = true
	w.look(0)
	job := kube.NewObject(kube.ImagePullJob, "shop", names.Object("shop", "warm", "demand"))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(job), job))
	unstructured.RemoveNestedField(job.Object, "metadata", "annotations")
	w.must(w.client.Update(t.Context(), job))
	w.must(w.client.Create(t.Context(), node("b")))
	w.look(0.25)
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(job), job))
	if onto, _, _ := unstructured.NestedStringSlice(job.Object, "spec", "selector", "names"); !slices.Equal(onto,
		[]string{"a", "b"}) {
		t.Errorf("the job is for %v", onto)
	}
}

// full returns a node that lists as many images as a kubelet lists, and not the target's.
func full(name string) *corev1.Node { return node(name, fifty...) }

// pullJobIs completes the job, with failures on some nodes. It returns the job's UID, or nothing
// where there is no job.
func (w *world) pullJobIs(failed ...string) string {
	w.t.Helper()
	job := kube.NewObject(kube.ImagePullJob, "shop", names.Object("shop", "warm", "demand"))
	if err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(job), job); err != nil {
		w.must(client.IgnoreNotFound(err))
		return ""
	}
	w.must(unstructured.SetNestedField(job.Object, "2026-03-01T12:00:10Z", "status", "completionTime"))
	w.must(unstructured.SetNestedField(job.Object, int64(len(failed)), "status", "failed"))
	w.must(unstructured.SetNestedStringSlice(job.Object, failed, "status", "failedNodes"))
	w.must(w.client.Update(w.t.Context(), job))
	return string(job.GetUID())
}

// On a node that lists its largest images only, a completed job alone shows that the image is
// there.
func TestImagePullJobOfUnlistedImages(t *testing.T) {
	w := newWorld(t, steady, pool(noNodes), full("full"))
	w.mapper.there["ImagePullJob"] = true
	w.look(0)
	w.pullJobIs("full")
	if s := w.look(0.25); s.Forecasts[0].ImageNodesReady != 0 {
		t.Errorf("the job failed on the node: %+v", s.Forecasts[0])
	}
	job := w.pullJobIs()
	for look := range 4 * 59 {
		if look == 100 {
			r, err := New(w.r.opts) // and what is in the cluster is all that is left
			w.must(err)
			w.r = r
		}
		if s := w.look(0.5 + float64(look)/4); s.Forecasts[0].ImageNodesReady != 1 ||
			reasonOf(s, v1alpha1.ConditionImagesWarm) != "True AsPlanned" {
			t.Fatalf("look %d: the job succeeded on the node: %+v", look, s)
		}
	}
	if now := w.pullJobIs(); now != job {
		t.Errorf("only the job %s shows that the image is there, and it was created again: %s", job, now)
	}
	// A kubelet may have removed it by then.
	w.look(60.25)
	w.look(60.5)
	if now := w.pullJobIs(); now == job || now == "" {
		t.Errorf("after an hour it should be pulled again: %q", now)
	}
}

// Nodes that one job pulled onto still count while another job tries elsewhere.
func TestImagePullJobThatFailsOnOneNode(t *testing.T) {
	w := newWorld(t, strings.Repeat("30 ", 60), pool(noNodes), full("a"), full("b"), node("bad"))
	w.mapper.there["ImagePullJob"] = true
	w.look(0)
	jobs := map[string]bool{}
	for look := range 4 * 50 {
		if job := w.pullJobIs("bad"); job != "" {
			jobs[job] = true
		}
		if s := w.look(0.25 + float64(look)/4); s.Forecasts[0].ImageNodesReady != 2 {
			t.Fatalf("look %d: %+v", look, s.Forecasts[0])
		}
	}
	if len(jobs) > 7 {
		t.Errorf("%d jobs in 50 minutes, want a try in ten minutes for the node that fails", len(jobs))
	}
}

// If a kubelet removes the image again and again, OpenKruise pulls it ever more rarely, too.
func TestImagePullJobOfImagesThatGo(t *testing.T) {
	w := newWorld(t, steady, pool(noNodes), node("a"))
	w.mapper.there["ImagePullJob"] = true
	jobs, reported, came := map[string]bool{}, false, -10
	for look := range 4 * 60 {
		s := w.look(float64(look) / 4)
		reported = reported || (reasonOf(s, v1alpha1.ConditionImagesWarm) == "False PullFails" &&
			strings.Contains(s.Forecasts[0].Message, "it was there and is gone"))
		if job := w.pullJobIs(); job != "" && !jobs[job] {
			jobs[job], came = true, look
			w.lists("a", image)
		}
		if look == came+8 {
			w.lists("a")
		}
	}
	if len(jobs) < 2 || len(jobs) > 9 || !reported {
		t.Errorf("%d jobs in an hour, want at most 9; reported is %t", len(jobs), reported)
	}
}

// Nodes with a successful pull still count while more pulls are denied, and while the API server is
// away.
func TestPulledWhileDenied(t *testing.T) {
	for _, by := range []v1alpha1.WarmImagesPolicy{v1alpha1.WarmImagesPods, v1alpha1.WarmImagesImagePullJob} {
		t.Run(string(by), func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes, func(p *v1alpha1.WarmPool) { p.Spec.Images.Policy = by }), full("a"))
			w.mapper.there["ImagePullJob"] = true
			w.look(0)
			w.pullJobIs()
			for _, p := range w.ours(names.RolePull) {
				w.bind(&p, "a")
				p.Status.Phase = corev1.PodSucceeded
				p.Status.ContainerStatuses = []corev1.ContainerStatus{{
					Name: names.PullContainer, ImageID: "sha256:1",
					State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}},
				}}
				w.must(w.client.Status().Update(t.Context(), &p))
			}
			w.look(0.25)
			w.must(w.client.Create(t.Context(), node("b")))
			for i, err := range []error{forbid("create", "things"), nil, errInternal, errInternal} {
				w.refuse = func(string, client.Object) error { return err }
				w.unread = func(kind string) error {
					if strings.HasPrefix(kind, "ImagePullJob") && errors.Is(err, errInternal) {
						return err
					}
					return nil
				}
				_, _ = w.tryLook(0.5 + float64(i)/10)
				if s := w.now(); s.Forecasts[0].ImageNodesReady != 1 {
					t.Errorf("look %d: the image is on a still: %+v", i, s.Forecasts[0])
				}
			}
		})
	}
}
