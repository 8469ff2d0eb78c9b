package warmer

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// four replicas for hours.
var four = strings.Repeat("40 ", 200)

// policyDenies are denials of policies and webhooks, each with its own code.
var policyDenies = map[string]error{
	"Policy422": &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusUnprocessableEntity, Reason: metav1.StatusReasonInvalid,
		Message: "ValidatingAdmissionPolicy 'p' with binding 'b' denied request: protected",
	}},
	"Webhook400": &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure,
		Code:   http.StatusBadRequest, Reason: metav1.StatusReasonBadRequest,
		Message: `admission webhook "v" denied the request: protected`,
	}},
	"Webhook403": apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "x",
		errors.New(`admission webhook "v" denied the request: you cannot delete protected pods`)),
}

// Pods that a policy protects do not keep others from being deleted, whatever code it uses. They
// are tried four times a minute at most.
func TestProtectedPodsKeepNoOther(t *testing.T) {
	for name, denies := range policyDenies {
		for _, protected := range []int{1, 3, 5} {
			t.Run(fmt.Sprint(name, protected), func(t *testing.T) {
				w := newWorld(t, strings.Repeat("80 ", 200), pool(noImages))
				w.look(0)
				var protectedNames []string
				for _, p := range w.ours(names.RolePlaceholder)[:protected] {
					protectedNames = append(protectedNames, p.Name)
				}
				tries := 0
				w.refuse = func(verb string, o client.Object) error {
					if verb == "delete" && slices.Contains(protectedNames, o.GetName()) {
						tries++
						return denies
					}
					return nil
				}
				w.setMode(v1alpha1.ForecastPaused)
				for i := range 12 {
					s := w.look(1 + float64(i)/4)
					if got := reasonOf(s, v1alpha1.ConditionReady); got != "False Denied" {
						t.Fatalf("Ready is %q", got)
					}
				}
				if n := len(w.ours(names.RolePlaceholder)); n != protected {
					t.Errorf("%d placeholders are left, %d are protected", n, protected)
				}
				if tries > 3*12 {
					t.Errorf("%d tries at 12 looks, want at most three at each", tries)
				}
			})
		}
	}
}

// The deletion of an object that a policy protects is tried four times a minute at most, whether
// its Forecast exists or not.
func TestProtectedObjectsAreTriedRarely(t *testing.T) {
	gone := func(w *world) { w.must(w.client.Delete(w.t.Context(), w.forecast(four))) }
	paused := func(w *world) { w.setMode(v1alpha1.ForecastPaused) }
	for name, recede := range map[string]func(*world){"Gone": gone, "Paused": paused} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, four, pool(noImages))
			w.mapper.there["CapacityBuffer"] = true
			w.look(0)
			recede(w)
			w.refuse = func(verb string, o client.Object) error {
				if verb == "delete" && kindOf(o) == "CapacityBuffer" {
					return policyDenies["Policy422"]
				}
				return nil
			}
			for i := range 20 {
				if s := w.look(1 + float64(i)/60); reasonOf(s, v1alpha1.ConditionReady) != "False Denied" {
					t.Fatalf("%+v", s.Conditions)
				}
			}
			if n := strings.Count(fmt.Sprint(w.writes), "delete CapacityBuffer refused"); n != 2 {
				t.Errorf("%d tries in 20 s, want one in 15 s", n)
			}
		})
	}
}

// A useless placeholder that may not be deleted does not keep others from being created.
func TestUselessPlaceholdersThatStay(t *testing.T) {
	w := newWorld(t, four, pool(noImages), node("a"))
	w.look(0)
	ended := w.ours(names.RolePlaceholder)[0]
	w.bind(&ended, "a")
	ended.Status.Phase, ended.Status.Reason = corev1.PodFailed, "DeadlineExceeded"
	w.must(w.client.Status().Update(t.Context(), &ended))
	w.refuse = func(verb string, _ client.Object) error {
		if verb == "delete" {
			return policyDenies["Webhook400"]
		}
		return nil
	}
	for i := range 3 {
		w.look(1 + float64(i)/4)
	}
	if n := allocate.Alive(w.ours(names.RolePlaceholder)); n != 4 {
		t.Errorf("%d placeholders hold, want 4", n)
	}
}

// While a target cannot be read, what is held for it stays, also past the hour that a placeholder
// lasts. It is released once spec does not allow it any more.
func TestHeldWhileTheTargetCannotBeRead(t *testing.T) {
	change := func(f func(*v1alpha1.WarmPool)) func(*world) {
		return func(w *world) {
			p := pool()
			w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(p), p))
			f(p)
			w.must(w.client.Update(w.t.Context(), p))
		}
	}
	anHour := func(w *world) {
		for _, p := range w.ours(names.RolePlaceholder) {
			p.Status.Phase, p.Status.Reason = corev1.PodFailed, "DeadlineExceeded"
			w.must(w.client.Status().Update(w.t.Context(), &p))
		}
	}
	cases := map[string]struct {
		then func(*world)
		want int
	}{
		"Nothing": {func(*world) {}, 4},
		"AnHour":  {anHour, 4},
		"Taken":   {func(w *world) { p := w.ours(names.RolePlaceholder)[0]; w.must(w.client.Delete(t.Context(), &p)) }, 3},
		"DryRun":  {change(func(p *v1alpha1.WarmPool) { p.Spec.Mode = v1alpha1.WarmPoolDryRun }), 0},
		"Off":     {change(func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Policy = v1alpha1.WarmNodesOff }), 0},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, four, pool(noImages), node("a"), node("b"), node("c"), node("d"))
			w.look(0)
			for i, p := range w.ours(names.RolePlaceholder) {
				w.bind(&p, string(rune('a'+i)))
			}
			w.look(0.25)
			w.unread = func(kind string) error {
				if kind == "Deployment" {
					return errInternal
				}
				return nil
			}
			_, _ = w.tryLook(1)
			tc.then(w)
			for i := range 3 {
				_, _ = w.tryLook(61 + float64(i))
			}
			if have := w.ours(names.RolePlaceholder); allocate.Alive(have) != tc.want || len(have) != tc.want {
				t.Errorf("%d placeholders, %d of them hold; want %d", len(have), allocate.Alive(have), tc.want)
			}
		})
	}
}

// After a restart discovery does not answer. Nothing is held twice, nothing counts as listed, and
// that is reported.
func TestRestartWithoutDiscovery(t *testing.T) {
	w := newWorld(t, four, pool(noImages))
	w.mapper.there["CapacityBuffer"] = true
	w.service("other", four, "")
	w.look(0)
	r, err := New(w.r.opts)
	w.must(err)
	w.r = r
	other := w.forecast(four)
	other.Name = "other"
	w.must(w.client.Delete(t.Context(), other))
	w.mapper.away = true
	for i := range 3 {
		if _, err := w.tryLook(1 + float64(i)/60); err == nil {
			t.Fatal("what is not known should be looked at again soon")
		}
	}
	if got := reasonOf(w.now(), v1alpha1.ConditionReady); got != "False Failed" ||
		len(w.ours(names.RolePlaceholder)) != 0 {
		t.Errorf("Ready is %q, and %d placeholders exist besides the buffer", got, len(w.ours(names.RolePlaceholder)))
	}
	w.mapper.away = false
	w.look(3)
	left := kube.NewObject(kube.CapacityBuffer, "shop", names.Object("shop", "warm", "other"))
	if err := w.client.Get(t.Context(), client.ObjectKeyFromObject(left), left); !apierrors.IsNotFound(err) {
		t.Errorf("the buffer of a Forecast that went meanwhile holds nodes on: %v", err)
	}
}

// An upgrade does not forget what was learned.
func TestUpgrade(t *testing.T) {
	free := func(p *v1alpha1.WarmPool) { p.Spec.Nodes.Lead, p.Spec.Images.Lead = "", "" }
	w := newWorld(t, ramp, pool(free))
	p := pool()
	w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(p), p))
	p.Status.Forecasts = []v1alpha1.WarmForecast{{Name: "demand", NodeLead: "12m", ImageLead: "15m"}}
	w.must(w.client.Status().Update(t.Context(), p))
	f := w.look(0).Forecasts[0]
	if f.NodeLead != "12m" || f.LearnedNodeLead != "12m" || f.ImageLead != "15m" || f.LearnedImageLead != "" {
		t.Errorf("12m was learned of nodes, and nothing of images: %+v", f)
	}
}
