package warmer

import (
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

func TestCapacityBufferComesAndGoes(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.look(2)
	size := func() int64 {
		t.Helper()
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(kube.CapacityBuffer.GroupVersion().WithKind("CapacityBufferList"))
		w.must(w.client.List(t.Context(), &list))
		if len(list.Items) != 1 {
			return -1
		}
		n, _, _ := unstructured.NestedInt64(list.Items[0].Object, "spec", "replicas")
		return n
	}
	w.mapper.there["CapacityBuffer"] = true
	s := w.look(3.5)
	if size() != 5 || len(w.ours(names.RolePlaceholder)) != 0 || s.Forecasts[0].NodesBy != "CapacityBuffer" {
		t.Fatalf("the buffer should take over: size %d, %d placeholders, %+v", size(), len(w.ours(names.RolePlaceholder)),
			s.Forecasts)
	}
	w.replica("")
	w.replica("")
	if w.look(4); size() != 3 {
		t.Errorf("two replicas are on their way, so the buffer should be 3, not %d", size())
	}
	writes := len(w.writes)
	if w.look(4.25); len(w.writes) != writes {
		t.Errorf("nothing changed, but wrote %v", w.writes[writes:])
	}
	if w.look(8.5); size() != 0 {
		t.Errorf("after the peak the buffer is %d", size())
	}
	// The CRD vanishes during the next peak.
	w2 := newWorld(t, ramp, pool(noImages))
	w2.mapper.there["CapacityBuffer"] = true
	w2.look(2)
	w2.mapper.there["CapacityBuffer"] = false
	s = w2.look(2.25)
	if n := len(w2.ours(names.RolePlaceholder)); n != 5 || s.Forecasts[0].NodesBy != "Placeholders" {
		t.Errorf("placeholders should take over at once, there are %d: %+v", n, s.Forecasts)
	}
	if got := reasonOf(s, v1alpha1.ConditionReady); got != "True AsPlanned" {
		t.Errorf("Ready is %q", got)
	}
}

// The buffer of a deleted Forecast is deleted, although the look that created it did not get to
// write status.
func TestBufferOfAForecastThatNoStatusNames(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.mapper.there["CapacityBuffer"] = true
	w.service("other", ramp, "")
	broken := names.Object("shop", "warm", "demand")
	w.refuse = func(_ string, o client.Object) error {
		if o.GetName() == broken {
			return errInternal
		}
		return nil
	}
	if _, err := w.tryLook(2); err == nil {
		t.Fatal("a look that could not make a buffer is to fail")
	}
	key := client.ObjectKey{Namespace: "shop", Name: names.Object("shop", "warm", "other")}
	w.must(w.client.Get(t.Context(), key, kube.NewObject(kube.CapacityBuffer, "", "")))

	fc := w.forecast(ramp)
	fc.Name = "other"
	w.must(w.client.Delete(t.Context(), fc))
	w.refuse = nil
	w.look(2.25)
	if err := w.client.Get(t.Context(), key, kube.NewObject(kube.CapacityBuffer, "", "")); !apierrors.IsNotFound(err) {
		t.Errorf("the buffer of a Forecast that is gone holds nodes on: %v", err)
	}
}

// What an earlier process created is found by its labels and deleted with its Forecasts, also of
// those that status does not name.
func TestNothingIsForgottenInARestart(t *testing.T) {
	w := newWorld(t, steady, pool())
	for _, kind := range []string{"CapacityBuffer", "ImagePullJob"} {
		w.mapper.there[kind] = true
	}
	const others = 70
	for i := range others {
		w.service(fmt.Sprintf("other-%02d", i), steady, "")
	}
	w.must(w.client.Create(t.Context(), node("a")))
	if s := w.look(0); len(s.Forecasts) != 64 {
		t.Fatalf("status names %d Forecasts, and should have no room for all", len(s.Forecasts))
	}
	strange := kube.NewObject(kube.CapacityBuffer, "shop", "strange")
	strange.SetLabels(map[string]string{
		names.LabelPool:     names.Pool("shop", "another"),
		names.LabelForecast: names.Forecast("shop", "other-69"),
	})
	w.must(w.client.Create(t.Context(), strange))
	count := func(gvk schema.GroupVersionKind) int {
		t.Helper()
		var list unstructured.UnstructuredList
		list.SetGroupVersionKind(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
		w.must(w.client.List(t.Context(), &list))
		return len(list.Items)
	}
	templates := func() int {
		t.Helper()
		var list corev1.PodTemplateList
		w.must(w.client.List(t.Context(), &list))
		return len(list.Items)
	}
	if b, j, p := count(kube.CapacityBuffer), count(kube.ImagePullJob), templates(); b != others+2 || j != others+1 ||
		p != others+1 {
		t.Fatalf("%d buffers, %d jobs, %d templates", b, j, p)
	}
	// Headstart restarts, and meanwhile all Forecasts but one are deleted.
	r, err := New(w.r.opts)
	w.must(err)
	w.r = r
	var fcs v1alpha1.ForecastList
	w.must(w.client.List(t.Context(), &fcs))
	for i := range fcs.Items {
		if fc := &fcs.Items[i]; fc.Name != "other-69" {
			w.must(w.client.Delete(t.Context(), fc))
		}
	}
	w.look(0.25)
	if b, j, p := count(kube.CapacityBuffer), count(kube.ImagePullJob), templates(); b != 2 || j != 1 || p != 1 {
		t.Errorf("%d buffers, %d jobs, %d templates are left, want those of the Forecast that is, and another WarmPool's "+
			"buffer", b, j, p)
	}
	writes := len(w.writes)
	if w.look(0.5); len(w.writes) != writes {
		t.Errorf("nothing changed, but wrote %v", w.writes[writes:])
	}
}

// Autoscalers read the PodTemplate, so what is removed from the workload's template is removed from
// it as well.
func TestBufferFollowsWhatIsTakenOut(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.mapper.there["CapacityBuffer"] = true
	w.look(2)
	changeTemplate(func(s *corev1.PodSpec) { s.NodeSelector = nil })(w, nil)
	w.look(2.25)
	var got corev1.PodTemplate
	w.must(w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: names.Object("shop", "warm", "demand")},
		&got))
	if len(got.Template.Spec.NodeSelector) != 0 {
		t.Errorf("the node selector %v was taken out of the workload", got.Template.Spec.NodeSelector)
	}
	writes := len(w.writes)
	if w.look(2.5); len(w.writes) != writes {
		t.Errorf("nothing changed, but wrote %v", w.writes[writes:])
	}
}
