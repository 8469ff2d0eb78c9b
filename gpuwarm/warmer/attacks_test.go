package warmer

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

var errForbidden = apierrors.NewForbidden(schema.GroupResource{Resource: "things"}, "model", errors.New("no rights"))

// Of thousands of WarmPools in a namespace the oldest count. A look at another one reads next to
// nothing, and it holds nothing.
func TestTooManyWarmPools(t *testing.T) {
	w := newWorld(t, steady, pool(noImages))
	w.look(0)
	if n := len(w.ours(names.RolePlaceholder)); n != 2 {
		t.Fatalf("%d placeholders", n)
	}
	older := func(i int) *v1alpha1.WarmPool {
		p := pool(noImages)
		p.Name, p.UID = fmt.Sprintf("older-%02d", i), types.UID(fmt.Sprint("older-", i))
		p.CreationTimestamp = metav1.NewTime(start.Add(-time.Hour))
		p.Spec.ForecastSelector.MatchLabels = map[string]string{"no": "body"}
		return p
	}
	for i := range mostPools - 1 {
		w.must(w.client.Create(t.Context(), older(i)))
	}
	if s := w.look(0.25); s.Placeholders != 2 || reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" {
		t.Fatalf("it is the last that counts: %+v", s)
	}
	w.clock.SetTime(start) // or it would be the youngest
	w.must(w.client.Create(t.Context(), older(mostPools)))
	s := w.look(0.5)
	if n := len(w.ours(names.RolePlaceholder)); n != 0 || s.Placeholders != 0 || len(s.Forecasts) != 0 ||
		reasonOf(s, v1alpha1.ConditionReady) != "False TooManyWarmPools" || len(s.Conditions) != 1 {
		t.Errorf("it does not count and holds %d: %+v", n, s)
	}
	w.reads, w.writes = nil, nil
	key := types.NamespacedName{Namespace: "shop", Name: "warm"}
	result, err := w.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: key})
	if err != nil || len(w.writes) != 0 || len(w.reads) > 2 || result.RequeueAfter < 2*time.Minute {
		t.Errorf("again after %v (%v): read %v, wrote %v", result.RequeueAfter, err, w.reads, w.writes)
	}
	w.must(w.client.Delete(t.Context(), older(0)))
	if s = w.look(3); s.Placeholders != 2 || reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" {
		t.Errorf("it counts again: %+v", s)
	}
}

// Sixteen WarmPools share the cap of a namespace; so do those of which each made its target
// unreadable once it held something.
func TestUnreadableTargetsDoNotEvadeTheCap(t *testing.T) {
	w := newWorld(t, strings.Repeat("1000 ", 60), pool(noImages))
	w.r.opts.Bounds.Placeholders = 16
	w.unread = func(kind string) error {
		if kind == "Secret" {
			return errForbidden
		}
		return nil
	}
	held := func() int { return len(w.ours(names.RolePlaceholder)) }
	for i := range 5 {
		if i > 0 {
			name := fmt.Sprint("more-", i)
			w.service(name, strings.Repeat("1000 ", 60), "")
			p := pool(noImages)
			p.Name, p.UID = name, types.UID(name)
			p.CreationTimestamp = metav1.NewTime(start.Add(time.Duration(i) * time.Minute))
			p.Spec.ForecastSelector = metav1.LabelSelector{MatchLabels: map[string]string{"of": name}}
			w.must(w.client.Create(t.Context(), p))
			fc := w.forecast("")
			fc.Name = name
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
			fc.Labels = map[string]string{"of": name}
			w.must(w.client.Update(t.Context(), fc))
		}
		var pools v1alpha1.WarmPoolList
		w.must(w.client.List(t.Context(), &pools))
		for range 3 {
			for _, p := range pools.Items {
				_, _ = w.r.Reconcile(t.Context(), reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&p)})
			}
		}
		if n := held(); n == 0 || n > 16 {
			t.Fatalf("%d are held with %d WarmPools, at most 16 may be", n, i+1)
		}
		var forecasts v1alpha1.ForecastList
		w.must(w.client.List(t.Context(), &forecasts))
		for _, fc := range forecasts.Items {
			fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "v1", Kind: "Secret", Name: fc.Name}
			w.must(w.client.Update(t.Context(), &fc))
		}
	}
}

// A PodTemplate is in the tenant's namespace, so it can be changed there. Placeholders are never
// made from it.
func TestChangedPodTemplatesMakeNoPlaceholders(t *testing.T) {
	w := newWorld(t, steady, pool(noImages))
	w.mapper.there["CapacityBuffer"] = true
	w.look(0)
	var made corev1.PodTemplateList
	w.must(w.client.List(t.Context(), &made))
	if len(made.Items) != 1 {
		t.Fatalf("%d PodTemplates", len(made.Items))
	}
	evil := &made.Items[0]
	evil.Template.Spec.Tolerations = []corev1.Toleration{{Operator: corev1.TolerationOpExists}}
	evil.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"] = resource.MustParse("8")
	w.must(w.client.Update(t.Context(), evil))
	// A placeholder of before, which ended, is what might be made again.
	of := names.Owner{Namespace: "shop", Pool: "warm", Forecast: "demand"}
	ended := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: DefaultNamespace, Name: "hold-x-0",
		Labels: map[string]string{
			names.LabelRole: names.RolePlaceholder, names.LabelPool: names.Pool("shop", "warm"),
			names.LabelForecast: of.Key(),
		},
		Annotations: map[string]string{names.AnnotationFor: of.String()},
	}, Spec: template().Spec, Status: corev1.PodStatus{Phase: corev1.PodFailed, Reason: "DeadlineExceeded"}}
	w.must(w.client.Create(t.Context(), ended))
	w.unread = func(kind string) error {
		if kind == "Deployment" {
			return errForbidden
		}
		return nil
	}
	r, err := New(w.r.opts) // a new process knows the target by the PodTemplate alone
	w.must(err)
	w.r = r
	for i := range 3 {
		_, _ = w.tryLook(1 + float64(i)/4)
	}
	for _, p := range w.ours(names.RolePlaceholder) {
		if p.Name != ended.Name {
			t.Errorf("made from the tenant's PodTemplate: %+v", p.Spec)
		}
	}
}

// What placeholders of another namespace hold is not held for this one.
func TestNeighboursPlacesAreNotHeld(t *testing.T) {
	w := newWorld(t, steady, pool(noImages, gpus(2)), node("a"), node("b"))
	w.mapper.there["CapacityBuffer"] = true
	if s := w.look(0); s.Forecasts[0].Held != 2 {
		t.Fatalf("two GPUs are free: %+v", s.Forecasts[0])
	}
	for i, p := range heldFor("next-door", 2) {
		p.Spec.NodeName = []string{"a", "b"}[i]
		w.must(w.client.Create(t.Context(), p))
	}
	if s := w.look(0.25); s.Forecasts[0].Held != 0 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
		t.Errorf("a neighbour holds both: %+v", s.Forecasts[0])
	}
}

// Pull pods of another WarmPool of the namespace count towards those at a time.
func TestPullsOfAnotherPoolCount(t *testing.T) {
	other := pool(noNodes)
	other.Name, other.UID = "other", "other-uid"
	other.Spec.ForecastSelector.MatchLabels = map[string]string{"no": "body"}
	w := newWorld(t, strings.Repeat("120 ", 60), other,
		pool(noNodes, func(p *v1alpha1.WarmPool) { p.Spec.Images.Parallelism = 100 }))
	w.r.opts.Bounds.Pulls = 8
	for i := range 12 {
		w.must(w.client.Create(t.Context(), node(fmt.Sprintf("n%02d", i))))
	}
	for i := range 6 {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: fmt.Sprint("theirs-", i), Labels: map[string]string{names.LabelRole: names.RolePull},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(other,
				v1alpha1.GroupVersion.WithKind("WarmPool"))},
		}, Spec: template().Spec}
		w.must(w.client.Create(t.Context(), p))
	}
	for i := range 3 {
		w.look(float64(i) / 12)
	}
	if _, atATime := w.pulling(); atATime != 8 {
		t.Errorf("%d pull at a time, want the other's 6 and 2", atATime)
	}
}

// Huge and absurd numbers in what a tenant writes bound nothing away, and end in no panic.
func TestAbsurdNumbersAreBounded(t *testing.T) {
	cases := map[string]func(*v1alpha1.WarmPool, *v1alpha1.Forecast, *appsv1.Deployment){
		"Plan": func(_ *v1alpha1.WarmPool, fc *v1alpha1.Forecast, _ *appsv1.Deployment) {
			fc.Status.Plan.Segments[0].Values = strings.Repeat("1e300 ", 60)
		},
		"PlanPast": func(_ *v1alpha1.WarmPool, fc *v1alpha1.Forecast, _ *appsv1.Deployment) {
			fc.Status.Plan.Start = metav1.NewTime(time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC))
		},
		"TinyCapacity": func(_ *v1alpha1.WarmPool, fc *v1alpha1.Forecast, _ *appsv1.Deployment) {
			fc.Status.CapacityPerReplica.Value = resource.MustParse("1n")
		},
		"HugeLimits": func(p *v1alpha1.WarmPool, _ *v1alpha1.Forecast, _ *appsv1.Deployment) {
			p.Spec.Limits = map[string]resource.Quantity{"pods": resource.MustParse("9e18"), "cpu": resource.MustParse("1e40")}
		},
		"NegativeLimits": func(p *v1alpha1.WarmPool, _ *v1alpha1.Forecast, _ *appsv1.Deployment) {
			p.Spec.Limits = map[string]resource.Quantity{"pods": resource.MustParse("-9e18")}
		},
		"HugeRequests": func(_ *v1alpha1.WarmPool, _ *v1alpha1.Forecast, d *appsv1.Deployment) {
			list := d.Spec.Template.Spec.Containers[0].Resources.Limits
			list["nvidia.com/gpu"], list["cpu"] = resource.MustParse("9e18"), resource.MustParse("9e18")
		},
		"TinyRequests": func(_ *v1alpha1.WarmPool, _ *v1alpha1.Forecast, d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"] = resource.MustParse("1n")
		},
		"NegativeRequests": func(_ *v1alpha1.WarmPool, _ *v1alpha1.Forecast, d *appsv1.Deployment) {
			d.Spec.Template.Spec.Containers[0].Resources.Limits["nvidia.com/gpu"] = resource.MustParse("-5")
		},
		"StatusThatLies": func(p *v1alpha1.WarmPool, _ *v1alpha1.Forecast, _ *appsv1.Deployment) {
			p.Status.Placeholders = math.MaxInt32
			p.Status.Forecasts = []v1alpha1.WarmForecast{
				{Name: "demand", NodesBy: "CapacityBuffer", Hold: math.MaxInt32, Held: -5, LearnedNodeLead: "9999y"},
				{Name: "gone", NodesBy: "ProvisioningRequest", Hold: math.MinInt32},
			}
			p.Status.Shared = []v1alpha1.WarmShared{{Forecasts: []string{"demand"}, Correlation: "-1e300", Samples: -1}}
		},
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			p := pool(noImages)
			w := newWorld(t, strings.Repeat("1000 ", 60))
			w.r.opts.Bounds.Placeholders, w.r.opts.Bounds.Accelerators = 8, 8
			d, fc := deployment(), w.forecast("")
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(d), d))
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
			change(p, fc, d)
			w.must(w.client.Update(t.Context(), d))
			w.must(w.client.Status().Update(t.Context(), fc))
			status := p.Status
			w.must(w.client.Create(t.Context(), p))
			p.Status = status
			w.must(w.client.Status().Update(t.Context(), p))
			for i := range 4 {
				_, _ = w.tryLook(float64(i) / 4)
			}
			s := w.now()
			held := w.ours(names.RolePlaceholder)
			if len(held) > 8 || int(s.Placeholders) != len(held) {
				t.Errorf("%d are held, %d by status; at most 8 may be", len(held), s.Placeholders)
			}
			for _, f := range s.Forecasts {
				if f.Hold < 0 || f.Hold > 8 || f.Held < 0 || int(f.Held) > len(held) || f.Needed < 0 {
					t.Errorf("status: %+v", f)
				}
			}
			if bounded := []string{"NegativeLimits", "HugeRequests"}; slices.Contains(bounded, name) && len(held) > 0 {
				t.Errorf("%d are held", len(held))
			}
		})
	}
}
