package warmer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
	"headstart.dev/headstart/gpuwarm/warmer/nodes"
)

// Two services whose peaks alternate are held for together. One that runs on other nodes is not.
func TestHeldTogether(t *testing.T) {
	w := newWorld(t, "10 50 10 10", pool(noImages))
	w.service("other", "10 10 50 10", "")
	w.service("elsewhere", "10 50 50 10", "")
	d := deployment()
	d.Name = "elsewhere"
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(d), d))
	d.Spec.Template.Spec.NodeSelector = map[string]string{"gpu": "another"}
	w.must(w.client.Update(t.Context(), d))
	s := w.look(0)
	held := map[string]int32{}
	for _, f := range s.Forecasts {
		held[f.Name] = f.Hold
	}
	if diff := cmp.Diff(map[string]int32{"demand": 3, "other": 3, "elsewhere": 5}, held); diff != "" {
		t.Errorf("5 and 1, then 1 and 5 are 6 together: -want, +got:\n%s", diff)
	}
	want := []v1alpha1.WarmShared{{
		Forecasts: []string{
			"demand",
			"other",
		}, Resource: "nvidia.com/gpu", Hold: resource.MustParse("6"), Alone: resource.MustParse("10"),
		Correlation: "1",
	}}
	if diff := cmp.Diff(want, s.Shared); diff != "" {
		t.Errorf("-want, +got:\n%s", diff)
	}
	if n := len(w.ours(names.RolePlaceholder)); n != 11 {
		t.Errorf("%d placeholders, want 11", n)
	}
}

// correlated returns a world whose status has a correlation, in a new process.
func correlated(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, steady, pool(noImages))
	w.service("other", steady, "")
	w.look(0)
	p := pool()
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	p.Status.Shared[0].Correlation, p.Status.Shared[0].Samples,
		p.Status.Shared[0].MeasuredAt = "0.35", 144, &metav1.Time{Time: start}
	w.must(w.client.Status().Update(t.Context(), p))
	w.restart()
	return w
}

// The measured correlation of forecast errors outlives a restart, since status has it.
func TestCorrelationOutlivesARestart(t *testing.T) {
	w := correlated(t)
	for _, minutes := range []float64{5, 100} { // the second look has status of the first
		if got := w.look(minutes).Shared[0]; got.Correlation != "0.35" || got.Samples != 144 || got.MeasuredAt == nil ||
			!got.MeasuredAt.Time.Equal(start) {
			t.Errorf("after a restart %+v", got)
		}
	}
}

// What two plans need together is compared with what the pool, the nodes or a quota allow.
func TestShortTogether(t *testing.T) {
	grow := func(gpus string) func(*v1alpha1.WarmPool) {
		return func(p *v1alpha1.WarmPool) {
			p.Spec.Nodes.Capacity = map[string]resource.Quantity{"nvidia.com/gpu": resource.MustParse(gpus)}
		}
	}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "gpus"},
		Status: corev1.ResourceQuotaStatus{
			Hard: corev1.ResourceList{"requests.nvidia.com/gpu": resource.MustParse("8")},
			Used: corev1.ResourceList{"requests.nvidia.com/gpu": resource.MustParse("2")},
		},
	}
	cases := map[string]struct {
		reason string
		pool   *v1alpha1.WarmPool
		more   []client.Object
		short  string
		says   string
		room   string
	}{
		"Enough": {"Each needs 5, both together 10.", pool(noImages, grow("10")), nil, "False Enough", "", "10 Pool"},
		"Pool": {
			"Each would fit on its own.", pool(noImages, grow("8")), nil, "True PlanNeedsMore",
			"needs 10 nvidia.com/gpu at 2026-03-01T12:04:00Z and more than 8 from 2026-03-01T12:04:00Z on, " +
				"but the pool can give 8",
			"8 Pool",
		},
		"Nodes": {
			"Three nodes.", pool(noImages, func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }), nil,
			"True PlanNeedsMore", "the nodes can give 3", "3 Nodes",
		},
		"Quota": {
			"Six more than the two that run.", pool(noImages),
			[]client.Object{quota},
			"True PlanNeedsMore",
			"the quota can give 8",
			"8 Quota",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, append(tc.more, tc.pool, node("a"), node("b"), node("c"))...)
			w.service("other", ramp, "")
			w.replica("a")
			p := w.replica("b")
			p.Labels = map[string]string{"app": "other"}
			w.must(w.client.Update(t.Context(), p))
			s := w.look(0)
			if got := reasonOf(s, v1alpha1.ConditionCapacityShort); got != tc.short ||
				!strings.Contains(s.Forecasts[1].Message, tc.says) {
				t.Errorf("\nReason: %s\nCapacityShort is %q, message %q", tc.reason, got, s.Forecasts[1].Message)
			}
			if len(s.Rooms) != 1 || len(s.Rooms[0].Members) != 2 {
				t.Fatalf("the rooms are %+v", s.Rooms)
			}
			if got := s.Rooms[0].Most.String() + " " + s.Rooms[0].By; got != tc.room {
				t.Errorf("both can have %s together, want %s", got, tc.room)
			}
		})
	}
}

func TestProvisioningRequest(t *testing.T) {
	atomic := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesProvisioningRequest }
	w := newWorld(t, ramp+" 10 10 10 10 10 10 10 10 10 10 10 10", pool(noImages, atomic))
	s := w.look(2)
	if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False MissingAPI" ||
		len(w.ours(names.RolePlaceholder)) != 0 {
		t.Fatalf("without the API NodesWarm is %q, and nothing else holds nodes", got)
	}
	w.mapper.there["ProvisioningRequest"] = true
	get := func() *unstructured.Unstructured {
		t.Helper()
		u := kube.NewObject(kube.ProvisioningRequest, "shop", names.Object("shop", "warm", "demand"))
		if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u); err != nil {
			w.must(client.IgnoreNotFound(err))
			return nil
		}
		return u
	}
	set := func(kind string) {
		t.Helper()
		u := get()
		w.must(unstructured.SetNestedSlice(u.Object,
			[]any{map[string]any{"type": kind, "status": "True", "message": "no quota"}}, "status", "conditions"))
		w.must(w.client.Update(t.Context(), u))
	}
	s = w.look(3.1)
	u := get()
	class, _, _ := unstructured.NestedString(u.Object, "spec", "provisioningClassName")
	if nodes.PodCount(u) != 5 || class != nodes.DefaultProvisioningClass ||
		reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
		t.Fatalf("one request for all five: %+v, %+v", u.Object["spec"], s.Conditions)
	}
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(u), &corev1.PodTemplate{}); err != nil {
		t.Errorf("a request needs its template: %v", err)
	}
	w.replica("")
	writes := len(w.writes)
	set("Provisioned")
	writes++
	if w.look(3.25); len(w.writes) != writes {
		t.Errorf("pods that come are no reason for another request: %v", w.writes[writes:])
	}
	set("BookingExpired")
	w.look(3.5)
	w.look(3.75)
	if u = get(); u == nil || nodes.PodCount(u) != 4 {
		t.Errorf("once the booking is over what is still wanted is asked for again: %+v", u)
	}
	set("Failed")
	s = w.look(4)
	if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False NotProvisioned" ||
		!strings.Contains(s.Forecasts[0].Message, "no quota") || get() == nil {
		t.Errorf("a failure is reported, and not tried again at once: %q, %+v", got, s.Forecasts)
	}
	if w.look(8.5); get() != nil {
		t.Error("the peak is over, and so is the request")
	}
	if err := w.client.Get(t.Context(), client.ObjectKey{Namespace: "shop", Name: names.Object("shop", "warm", "demand")},
		&corev1.PodTemplate{}); err == nil {
		t.Error("its template is left")
	}
}

// A failure for one Forecast does not keep others from being warmed.
func TestOneFailureHarmsNobodyElse(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.service("other", ramp, "")
	broken := names.Forecast("shop", "demand")
	w.refuse = func(_ string, o client.Object) error {
		if o.GetLabels()[names.LabelForecast] == broken {
			return errInternal
		}
		return nil
	}
	if _, err := w.tryLook(2); err == nil {
		t.Error("the failure should slow the looks down")
	}
	if n := len(w.ours(names.RolePlaceholder)); n != 5 {
		t.Errorf("%d placeholders for the other, want 5", n)
	}
}

// Provisioning=True of a CapacityBuffer does not mean that there are nodes, with the cluster
// autoscaler. Only room on Ready nodes counts.
func TestBufferIsWarmByItsNodes(t *testing.T) {
	w := newWorld(t, "20 20 20 20", pool(noImages), node("a"))
	w.mapper.there["CapacityBuffer"] = true
	w.look(0)
	u := kube.NewObject(kube.CapacityBuffer, "shop", names.Object("shop", "warm", "demand"))
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(u), u))
	w.must(unstructured.SetNestedSlice(u.Object, []any{map[string]any{
		"type": "Provisioning", "status": "True",
		"reason": "FakePodsInjected",
	}}, "status", "conditions"))
	w.must(w.client.Update(t.Context(), u))
	s := w.look(0.25)
	if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False InProgress" || s.Forecasts[0].Held != 1 {
		t.Errorf("one of two nodes is there, but NodesWarm is %q: %+v", got, s.Forecasts[0])
	}
	w.must(w.client.Create(t.Context(), node("b")))
	if got := reasonOf(w.look(0.5), v1alpha1.ConditionNodesWarm); got != "True AsPlanned" {
		t.Errorf("both nodes are there, but NodesWarm is %q", got)
	}
}

// The errors of a Forecast that is not selected any more are forgotten.
func TestErrorsOfForecastsThatGo(t *testing.T) {
	w := correlated(t)
	if got := w.look(1).Shared[0].Correlation; got != "0.35" {
		t.Fatalf("the correlation is %s", got)
	}
	fc, p := w.forecast(steady), pool()
	fc.Name = "other"
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
	for i, label := range []string{"no", "yes"} { // not selected, and selected again
		fc.Labels = map[string]string{"warm": label}
		w.must(w.client.Update(t.Context(), fc))
		w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
		p.Spec.ForecastSelector.MatchLabels = map[string]string{"warm": "yes"}
		w.must(w.client.Update(t.Context(), p))
		w.look(2 + float64(i))
	}
	if got := w.look(5).Shared[0].Correlation; got != "1" {
		t.Errorf("of a Forecast that was not selected any more the correlation %s is known", got)
	}
}
