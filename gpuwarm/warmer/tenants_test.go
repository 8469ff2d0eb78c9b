package warmer

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// gpus limits what is held to so many GPUs.
func gpus(n int64) func(*v1alpha1.WarmPool) {
	return func(p *v1alpha1.WarmPool) {
		p.Spec.Limits = map[string]resource.Quantity{"nvidia.com/gpu": *resource.NewQuantity(n, resource.DecimalSI)}
	}
}

// copyOf returns a pod like another one as somebody else can make it: with all labels and
// annotations, on a node.
func copyOf(p *corev1.Pod, namespace, name, node string) *corev1.Pod {
	forged := p.DeepCopy()
	forged.Namespace, forged.Name, forged.Spec.NodeName = namespace, name, node
	forged.ResourceVersion, forged.OwnerReferences = "", nil
	forged.Status.Phase = corev1.PodRunning
	return forged
}

// exists reports whether an object is there.
func (w *world) exists(o client.Object) bool {
	w.t.Helper()
	err := w.client.Get(w.t.Context(), client.ObjectKeyFromObject(o), o.DeepCopyObject().(client.Object))
	w.must(client.IgnoreNotFound(err))
	return err == nil
}

// Pods with the labels of placeholders, and in any namespace but that of the placeholders, are
// ordinary pods: they use up no limits, are not said to be held, and are not deleted.
func TestForgedPlaceholdersCountForNothing(t *testing.T) {
	for _, namespace := range []string{"evil", "shop"} {
		t.Run(namespace, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages, gpus(2)), node("a"), node("b"))
			w.look(0)
			genuine := w.ours(names.RolePlaceholder)
			if len(genuine) != 2 {
				t.Fatalf("%d placeholders, want 2", len(genuine))
			}
			var forged []*corev1.Pod
			for i, on := range []string{"a", "b"} {
				p := copyOf(&genuine[i], namespace, fmt.Sprint("forged-", i), on)
				w.must(w.client.Create(t.Context(), p))
				forged = append(forged, p)
			}
			for i := range genuine { // and those that are real end, so that the forged ones could stand for them
				w.must(w.client.Delete(t.Context(), &genuine[i]))
			}
			for i := range 3 {
				s := w.look(0.25 + float64(i)/4)
				if f := s.Forecasts[0]; s.Placeholders != 2 || f.Hold != 2 || f.Held != 0 {
					t.Errorf("2 placeholders wait for nodes: %d, %+v", s.Placeholders, f)
				}
			}
			w.must(w.r.Sweep(t.Context()))
			w.must(w.client.Delete(t.Context(), pool()))
			w.look(2)
			for _, p := range forged {
				if !w.exists(p) {
					t.Errorf("%s/%s is somebody else's, and was deleted", p.Namespace, p.Name)
				}
			}
		})
	}
}

// GPUs that are used by pods with Headstart's labels are not free.
func TestForgedLabelsFreeNoGPU(t *testing.T) {
	for _, role := range []string{names.RolePlaceholder, names.RolePull} {
		t.Run(role, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages, gpus(2)), node("a"), node("b"))
			w.mapper.there["CapacityBuffer"] = true
			if s := w.look(0); s.Forecasts[0].Held != 2 {
				t.Fatalf("two GPUs are free: %+v", s.Forecasts[0])
			}
			for i, on := range []string{"a", "b"} {
				p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
					Namespace: "evil", Name: fmt.Sprint("forged-", i), Labels: map[string]string{
						names.LabelRole: role, names.LabelPool: names.Pool("shop", "warm"),
					},
					OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(pool(),
						v1alpha1.GroupVersion.WithKind("WarmPool"))},
				}, Spec: template().Spec}
				p.Spec.NodeName = on
				w.must(w.client.Create(t.Context(), p))
			}
			if s := w.look(0.25); s.Forecasts[0].Held != 0 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
				t.Errorf("their GPUs are used: %+v", s.Forecasts[0])
			}
		})
	}
}

// A pod with the labels of a pull pod that no WarmPool controls teaches nothing and is not deleted.
// The name of a WarmPool as the owner is not enough: the UID decides.
func TestForgedPullsCountForNothing(t *testing.T) {
	for name, namespace := range map[string]string{"Elsewhere": "evil", "Here": "shop", "OtherUID": "shop"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noNodes), node("a"))
			w.look(0)
			pulls := w.ours(names.RolePull)
			if len(pulls) != 1 {
				t.Fatalf("%d pulls", len(pulls))
			}
			forged := copyOf(&pulls[0], namespace, "forged", "a")
			forged.Spec.Containers[0].Image = "evil.example/model:1"
			if name == "OtherUID" {
				gone := pool()
				gone.UID = "another-uid"
				forged.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(gone,
					v1alpha1.GroupVersion.WithKind("WarmPool"))}
			}
			w.must(w.client.Delete(t.Context(), &pulls[0]))
			w.must(w.client.Create(t.Context(), forged))
			w.look(0.25)
			if n := len(w.ours(names.RolePull)); n != 2 || !w.exists(forged) {
				t.Errorf("%d pods, want the pull and the forged one", n)
			}
			for _, p := range w.ours(names.RolePull) {
				if p.Name != "forged" && p.Spec.Containers[0].Image != "registry.example/model:1" {
					t.Errorf("it pulls %s", p.Spec.Containers[0].Image)
				}
			}
			w.setMode(v1alpha1.ForecastPaused)
			if w.look(0.5); !w.exists(forged) {
				t.Error("it is somebody else's, and was deleted")
			}
		})
	}
}

// Objects of other kinds are the WarmPool's where it controls them, by UID. Labels do not make them
// so: they are neither counted nor deleted nor changed.
func TestForgedObjectsCountForNothing(t *testing.T) {
	w := newWorld(t, steady, pool(noImages, gpus(2)))
	w.mapper.there["CapacityBuffer"] = true
	labels := map[string]string{
		names.LabelManagedBy: names.ManagedBy, names.LabelPool: names.Pool("shop", "warm"),
		names.LabelForecast: names.Forecast("shop", "gone"),
	}
	buffer := kube.NewObject(kube.CapacityBuffer, "shop", "forged")
	job := newJob("shop", "forged")
	podTemplate := &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "forged"}}
	podTemplate.Template = template()
	old := pool()
	old.UID = "another-uid" // of a WarmPool of that name that is gone
	for i, o := range []client.Object{buffer, job, podTemplate} {
		o.SetLabels(labels)
		if i > 0 {
			o.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(old,
				v1alpha1.GroupVersion.WithKind("WarmPool"))})
		}
		w.must(w.client.Create(t.Context(), o))
	}
	for i := range 2 {
		if s := w.look(float64(i) / 4); s.Forecasts[0].Hold != 2 {
			t.Errorf("the forged buffer uses up limits: %+v", s.Forecasts[0])
		}
	}
	for _, o := range []client.Object{buffer, job, podTemplate} {
		if !w.exists(o) {
			t.Errorf("%T %s is somebody else's, and was deleted", o, o.GetName())
		}
	}
	// One that has the name that the WarmPool's own is to have is left as it is, and named.
	w = newWorld(t, steady, pool(noImages, gpus(2)))
	w.mapper.there["CapacityBuffer"] = true
	squatter := podTemplate.DeepCopy()
	squatter.Name, squatter.ResourceVersion = names.Object("shop", "warm", "demand"), ""
	squatter.Annotations = map[string]string{"theirs": "yes"}
	w.must(w.client.Create(t.Context(), squatter))
	for i := range 3 {
		_, _ = w.tryLook(float64(i) / 4)
	}
	if s := w.now(); reasonOf(s, v1alpha1.ConditionNodesWarm) != "False Failed" {
		t.Errorf("it says that somebody else's object is in the way: %+v", s.Conditions)
	}
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(squatter), squatter))
	if len(squatter.Annotations) != 1 {
		t.Errorf("it was changed: %v", squatter.Annotations)
	}
}

// Where two WarmPools had the same hash, the annotation decides: a neighbour's placeholders are
// neither counted nor deleted.
func TestCollidingHashesKeepNeighboursApart(t *testing.T) {
	neighbour := pool(noImages)
	neighbour.Namespace, neighbour.Name, neighbour.UID = "next-door", "cold", "neighbour-uid"
	w := newWorld(t, steady, pool(noImages, gpus(2)), neighbour)
	w.look(0)
	theirs := copyOf(&w.ours(names.RolePlaceholder)[0], DefaultNamespace, "hold-theirs-0", "")
	theirs.Annotations[names.AnnotationFor] = names.Owner{
		Namespace: "next-door", Pool: "cold", Forecast: "demand",
	}.String()
	w.must(w.client.Create(t.Context(), theirs))
	if s := w.look(0.25); s.Placeholders != 2 || s.Forecasts[0].Hold != 2 {
		t.Errorf("a neighbour's placeholder is counted: %+v", s)
	}
	w.must(w.r.Sweep(t.Context()))
	w.must(w.client.Delete(t.Context(), pool()))
	w.look(0.5)
	if left := w.ours(names.RolePlaceholder); len(left) != 1 || left[0].Name != theirs.Name {
		t.Errorf("%d placeholders are left, want the neighbour's alone", len(left))
	}
}

// fnvHash is what names and labels had before they had SHA-256.
func fnvHash(parts ...string) string {
	h := fnv.New64a()
	for _, p := range parts {
		_, _ = h.Write([]byte(p + "\x00"))
	}
	return strconv.FormatUint(h.Sum64(), 36)
}

// asBefore gives an object the labels of an earlier release.
func asBefore(o client.Object, forecast string) {
	labels := o.GetLabels()
	labels[names.LabelPool] = fnvHash("pool", "shop", "warm")
	labels[names.LabelForecast] = fnvHash("forecast", "shop", forecast)
	if labels[names.LabelShape] != "" {
		labels[names.LabelShape] = fnvHash("shape")
	}
	o.SetLabels(labels)
	o.SetResourceVersion("")
}

// After an upgrade the placeholders of the earlier release are replaced at the first look, within
// the limits. Those of Forecasts that are gone are deleted. None is leaked.
func TestUpgradeReplacesPlaceholders(t *testing.T) {
	w := newWorld(t, steady, pool(noImages, gpus(2)))
	w.r.opts.Client = caching{w.client}
	w.look(0)
	for i, p := range w.ours(names.RolePlaceholder) {
		w.must(w.client.Delete(t.Context(), &p))
		for _, forecast := range []string{"demand", "gone"} {
			old := copyOf(&p, DefaultNamespace, fmt.Sprint("hold-old-", forecast, i), "")
			asBefore(old, forecast)
			old.Annotations[names.AnnotationFor] = "shop/" + forecast + " by warm"
			w.must(w.client.Create(t.Context(), old))
		}
	}
	w.must(w.r.Sweep(t.Context()))
	if n := len(w.ours(names.RolePlaceholder)); n != 4 {
		t.Errorf("%d placeholders: those of a WarmPool that is there stay until it is looked at", n)
	}
	w.look(0.25)
	w.look(0.5)
	got := w.ours(names.RolePlaceholder)
	if len(got) != 2 {
		t.Fatalf("%d placeholders, want 2", len(got))
	}
	for _, p := range got {
		if p.Labels[names.LabelPool] != names.Pool("shop", "warm") {
			t.Errorf("%s is of the earlier release", p.Name)
		}
	}
	writes := len(w.writes)
	if w.look(0.75); len(w.writes) != writes {
		t.Errorf("it is done once: %v", w.writes[writes:])
	}
	// Without their WarmPool they go as well.
	old := copyOf(&got[0], DefaultNamespace, "hold-old", "")
	asBefore(old, "demand")
	w.must(w.client.Create(t.Context(), old))
	w.must(w.client.Delete(t.Context(), pool()))
	w.look(1)
	if n := len(w.ours(names.RolePlaceholder)); n != 0 {
		t.Errorf("%d placeholders outlive their WarmPool", n)
	}
}

// Other objects of an earlier release are replaced at the first look as well.
func TestUpgradeReplacesObjects(t *testing.T) {
	w := newWorld(t, "20 20 20 20 20 50 50 50 50 50 50", pool(gpus(9), loads(v1alpha1.WarmWeights{CronJob: "load"})),
		cronJob("load"), node("a"))
	w.mapper.there["CapacityBuffer"], w.mapper.there["ImagePullJob"] = true, true
	w.look(3)
	current := names.Object("shop", "warm", "demand")
	kinds := map[string]func(name string) client.Object{
		"CapacityBuffer": func(name string) client.Object { return kube.NewObject(kube.CapacityBuffer, "shop", name) },
		"ImagePullJob":   func(name string) client.Object { return kube.NewObject(kube.ImagePullJob, "shop", name) },
		"Job": func(name string) client.Object {
			return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		},
		"PodTemplate": func(name string) client.Object {
			return &corev1.PodTemplate{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		},
	}
	for kind, of := range kinds {
		o := of(current)
		if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(o), o); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		w.must(w.client.Delete(t.Context(), o))
		for _, forecast := range []string{"demand", "gone"} {
			old := o.DeepCopyObject().(client.Object)
			asBefore(old, forecast)
			old.SetName("headstart-" + fnvHash("shop", "warm", forecast))
			annotations := old.GetAnnotations()
			annotations[names.AnnotationFor] = "shop/" + forecast + " by warm"
			old.SetAnnotations(annotations)
			w.must(w.client.Create(t.Context(), old))
		}
	}
	r, err := New(w.r.opts)
	w.must(err)
	w.r = r
	w.look(3.25)
	w.look(3.5)
	for kind, of := range kinds {
		if !w.exists(of(current)) {
			t.Errorf("%s is not made again", kind)
		}
		for _, forecast := range []string{"demand", "gone"} {
			if w.exists(of("headstart-" + fnvHash("shop", "warm", forecast))) {
				t.Errorf("%s of the earlier release for Forecast %s is left", kind, forecast)
			}
		}
	}
	writes := len(w.writes)
	if w.look(3.75); len(w.writes) != writes {
		t.Errorf("it is done once: %v", w.writes[writes:])
	}
}
