package warmer

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

func forbid(verb, resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "x",
		fmt.Errorf("User \"headstart\" cannot %s resource %q", verb, resource))
}

func messageOf(s v1alpha1.WarmPoolStatus, kind string) string {
	if c := meta.FindStatusCondition(s.Conditions, kind); c != nil {
		return c.Message
	}
	return ""
}

// now returns the WarmPool's current status.
func (w *world) now() v1alpha1.WarmPoolStatus {
	w.t.Helper()
	p := pool()
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(p), p))
	return p.Status
}

// setMode sets the mode of the Forecast.
func (w *world) setMode(mode v1alpha1.ForecastMode) {
	w.t.Helper()
	fc := w.forecast(ramp)
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(fc), fc))
	fc.Spec.Mode = mode
	w.must(w.client.Update(w.t.Context(), fc))
}

// A failure of two looks in a row is reported, beside the rest of the status, and the error still
// slows the looks down. A reader of the conditions would otherwise believe that all is warm.
func TestOutageIsReported(t *testing.T) {
	cases := map[string]struct {
		reason string
		fail   func(*world)
		kind   string
		held   int
	}{
		"Webhook": {"an admission webhook that is away fails what is made", func(w *world) {
			w.refuse = func(string, client.Object) error { return errInternal }
		}, v1alpha1.ConditionNodesWarm, 1},
		"Target": {
			"so does reading the workload, which counts as it was read last, and the plan is followed",
			func(w *world) {
				w.unread = func(kind string) error {
					if kind == "Deployment" {
						return errInternal
					}
					return nil
				}
			}, v1alpha1.ConditionNodesWarm, 5,
		},
		"Removal": {"and what is to go", func(w *world) {
			w.setMode(v1alpha1.ForecastPaused)
			w.refuse = func(string, client.Object) error { return errInternal }
		}, v1alpha1.ConditionReady, 1},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, pool(noImages))
			if s := w.look(1.5); reasonOf(s, v1alpha1.ConditionReady) != "True AsPlanned" {
				t.Fatalf("%+v", s.Conditions)
			}
			tc.fail(w)
			for look := range 3 {
				if _, err := w.tryLook(2 + float64(look)/60); err == nil {
					t.Fatal("the failure should slow the looks down")
				}
				want := "False Failed"
				if look == 0 {
					want = "True AsPlanned" // one failure is most often over at once
				}
				if got := reasonOf(w.now(), v1alpha1.ConditionReady); got != want {
					t.Errorf("\nReason: %s\nafter look %d Ready is %q, want %q", tc.reason, look, got, want)
				}
			}
			s := w.now()
			if got := reasonOf(s, tc.kind); got != "False Failed" || !strings.Contains(messageOf(s, tc.kind),
				"a webhook is away: it is tried again") {
				t.Errorf("%s is %q: %s", tc.kind, got, messageOf(s, tc.kind))
			}
			if n := len(w.ours(names.RolePlaceholder)); n != tc.held {
				t.Errorf("%d placeholders are held, want %d", n, tc.held)
			}
			w.refuse, w.unread = nil, nil
			if s = w.look(2.1); strings.Contains(fmt.Sprint(s), "webhook") {
				t.Errorf("it is over, and reported on: %+v", s)
			}
		})
	}
}

// What is held for a target that may not be read stays. The rights are most often back soon, and
// nodes take long to come up.
func TestATargetThatMayNotBeRead(t *testing.T) {
	for kind, remedy := range map[string]string{
		"Deployment":              "aggregate-to-targets",
		"HorizontalPodAutoscaler": "ClusterRole headstart-server does",
	} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			fc := w.forecast(steady)
			w.must(w.client.Get(t.Context(), client.ObjectKeyFromObject(fc), fc))
			fc.Status.CapacityPerReplica.Name = "model"
			w.must(w.client.Status().Update(t.Context(), fc))
			w.look(0)
			w.unread = func(k string) error {
				if strings.HasSuffix(k, kind) {
					return forbid("get", "things")
				}
				return nil
			}
			for look := range 8 {
				s := w.look(0.25 + float64(look)/4)
				if n := len(w.ours(names.RolePlaceholder)); n != 2 {
					t.Fatalf("2 placeholders were held, %d are: %+v", n, s.Forecasts)
				}
				if got := reasonOf(s, v1alpha1.ConditionNodesWarm); got != "False Denied" || s.Forecasts[0].Hold != 2 {
					t.Errorf("NodesWarm is %q: %+v", got, s.Forecasts)
				}
				if m := s.Forecasts[0].Message; !strings.Contains(m,
					"the target for Forecast demand: what is held for it stays: ") || !strings.Contains(m, remedy) {
					t.Errorf("the denial is not reported with its remedy: %s", m)
				}
			}
			w.unread = nil
			if s := w.look(2.25); reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
				t.Errorf("the rights are back: %+v", s.Conditions)
			}
		})
	}
}

// A denial does not hide an outage, nor an outage a denial.
func TestEachErrorIsReported(t *testing.T) {
	for name, order := range map[string][]error{
		"DenialFirst": {forbid("delete", "pods"), errInternal}, "OutageFirst": {errInternal, forbid("delete", "pods")},
	} {
		t.Run(name, func(t *testing.T) {
			out := &outcome{}
			out.settleRemoval("removal", errors.Join(order[0], errors.Join(nil, order[1])))
			if !errors.Is(out.err, errInternal) || apierrors.IsForbidden(out.err) {
				t.Errorf("what time fixes is the error, and that alone: %v", out.err)
			}
			if len(out.problems) != 2 {
				t.Errorf("each should be reported: %v", out.problems)
			}
		})
	}
	out := &outcome{}
	if out.settleRemoval("removal", errors.Join(nil, nil)); out.err != nil || len(out.problems) > 0 {
		t.Error(out)
	}
}

// Without rights in the WarmPool's namespace, what was created there stays. That is reported, and
// once the rights are back it is deleted soon.
func TestRightsThatWereTakenAway(t *testing.T) {
	cases := map[string]struct {
		reason string
		recede func(*world)
	}{
		"Paused": {"the Forecast is paused", func(w *world) { w.setMode(v1alpha1.ForecastPaused) }},
		"Gone": {"the Forecast is deleted", func(w *world) {
			w.must(w.client.Delete(w.t.Context(), w.forecast(ramp)))
		}},
		"Off": {"the policy changes", func(w *world) {
			p := pool()
			w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(p), p))
			p.Spec.Nodes.Policy, p.Spec.Images.Policy = v1alpha1.WarmNodesOff, v1alpha1.WarmImagesOff
			w.must(w.client.Update(w.t.Context(), p))
		}},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, pool(), node("a"), node("b"))
			w.mapper.there["CapacityBuffer"] = true
			w.look(2)
			made := func() string {
				t.Helper()
				buffer := kube.NewObject(kube.CapacityBuffer, "shop", names.Object("shop", "warm", "demand"))
				err := w.client.Get(t.Context(), client.ObjectKeyFromObject(buffer), buffer)
				pulls := slices.DeleteFunc(w.ours(names.RolePull),
					func(p corev1.Pod) bool { return p.Labels[names.LabelForecast] != names.Forecast("shop", "demand") })
				return fmt.Sprintf("%d pulls, buffer %t", len(pulls), err == nil)
			}
			if got := made(); got != "2 pulls, buffer true" {
				t.Fatal(got)
			}
			tc.recede(w)
			w.refuse = func(verb string, o client.Object) error {
				if o.GetNamespace() == "shop" && (verb == "delete" || verb == "create") {
					return forbid(verb, kindOf(o))
				}
				return nil
			}
			w.unread = func(kind string) error {
				switch kind {
				case "CapacityBuffer", "CapacityBufferList", "PodTemplate", "PodTemplateList", "JobList", "Job",
					"ResourceQuotaList":
					return forbid("get", kind)
				}
				return nil
			}
			writes := len(w.writes)
			for look := range 20 {
				s, err := w.tryLook(2.25 + float64(look)/60)
				if err != nil {
					t.Fatalf("missing rights are not an error, since only a person can fix them: %v", err)
				}
				if got := reasonOf(s, v1alpha1.ConditionReady); got != "False Denied" ||
					!strings.Contains(messageOf(s, v1alpha1.ConditionReady), "delete") {
					t.Errorf("\nReason: %s\nReady is %q: %s", tc.reason, got, messageOf(s, v1alpha1.ConditionReady))
				}
			}
			if n := len(w.writes) - writes; n > 4 {
				t.Errorf("%d attempts in 20 looks over 20 s, want one of a kind in 15 s: %v", n, w.writes[writes:])
			}
			w.refuse, w.unread = nil, nil
			w.look(2.25 + 2.1)
			if got := made(); got != "0 pulls, buffer false" {
				t.Errorf("two minutes after the rights came %s are left", got)
			}
		})
	}
}

// A missing right that nothing needs now is mentioned, and is no failure.
func TestMissingRightThatNothingNeeds(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.mapper.there["ProvisioningRequest"] = true
	reads := 0
	w.unread = func(kind string) error {
		if strings.HasPrefix(kind, "ProvisioningRequest") {
			reads++
			return forbid("get", "provisioningrequests")
		}
		return nil
	}
	for look := range 9 {
		s := w.look(1.5 + float64(look)/4)
		if got := reasonOf(s, v1alpha1.ConditionReady); got != "True AsPlanned" && got != "False InProgress" ||
			!strings.Contains(messageOf(s, v1alpha1.ConditionReady), "whether anything is left") {
			t.Fatalf("Ready is %q: %s", got, messageOf(s, v1alpha1.ConditionReady))
		}
	}
	if reads > 6 {
		t.Errorf("it was looked for %d times in two minutes, want twice a minute", reads)
	}
	w.unread = nil
	if s := w.look(5); strings.Contains(messageOf(s, v1alpha1.ConditionReady), "is left") {
		t.Errorf("it may be looked for: %s", messageOf(s, v1alpha1.ConditionReady))
	}
}

// A missing right on quotas does not hide a worse problem.
func TestUnreadQuotasComeLast(t *testing.T) {
	w := newWorld(t, ramp, pool(noImages))
	w.unread = func(kind string) error {
		if kind == "ResourceQuotaList" {
			return forbid("list", "resourcequotas")
		}
		return nil
	}
	s := w.look(2)
	if got := reasonOf(s, v1alpha1.ConditionReady); got != "False Denied" ||
		!strings.Contains(messageOf(s, v1alpha1.ConditionReady), "headstart-warm-namespace") {
		t.Errorf("Ready is %q: %s", got, messageOf(s, v1alpha1.ConditionReady))
	}
	if m := messageOf(s, v1alpha1.ConditionCapacityShort); !strings.Contains(m, "quotas are not looked at") {
		t.Errorf("CapacityShort knows of no quota, and does not say so: %s", m)
	}
	changeTemplate(func(s *corev1.PodSpec) { s.NodeSelector = map[string]string{"gpu": "no"} })(w, nil)
	w.refuse = func(string, client.Object) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "x", errors.New("exceeded quota: gpus"))
	}
	if got := reasonOf(w.look(2.5), v1alpha1.ConditionReady); got != "False QuotaDenied" {
		t.Errorf("Ready is %q, want what keeps placeholders from being made", got)
	}
}

// Others can write the same objects. An object that was just deleted is no missing namespace.
func TestSomebodyWasFaster(t *testing.T) {
	buffers := schema.GroupResource{Group: "autoscaling.x-k8s.io", Resource: "capacitybuffers"}
	for name, err := range map[string]error{
		"Conflict": apierrors.NewConflict(buffers, "x",
			errors.New("the object has been modified")), "Gone": apierrors.NewNotFound(buffers, "x"),
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, ramp, pool(noImages))
			w.mapper.there["CapacityBuffer"] = true
			w.look(1.1)
			w.refuse = func(verb string, _ client.Object) error {
				if verb == "update" {
					return err
				}
				return nil
			}
			if s := w.look(2); strings.HasSuffix(reasonOf(s, v1alpha1.ConditionNodesWarm), "Denied") {
				t.Errorf("%+v", s.Conditions)
			}
			w.refuse = nil
			w.look(2.1)
			if got := w.writes[len(w.writes)-1]; got != "update CapacityBuffer" {
				t.Errorf("the next look is to write it, last was %q", got)
			}
		})
	}
	if _, remedy, known := kube.Remedy(apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "x")); known {
		t.Errorf("a pod that is gone is reported with the remedy %q", remedy)
	}
}

// A free node counts for one Forecast only, and for a waiting replica before both.
func TestBuffersCountEachNodeOnce(t *testing.T) {
	w := newWorld(t, "20 20 20 20", pool(noImages), node("a"), node("b"), node("c"))
	w.mapper.there["CapacityBuffer"] = true
	w.service("other", "20 20 20 20", "")
	total := func(s v1alpha1.WarmPoolStatus) (held int32) {
		for _, f := range s.Forecasts {
			held += f.Held
		}
		return held
	}
	if s := w.look(0); total(s) != 3 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "False InProgress" {
		t.Errorf("three nodes are free: %+v", s.Forecasts)
	}
	w.replica("")
	if s := w.look(0.25); total(s) != 2 {
		t.Errorf("three nodes are free, and one replica waits: %+v", s.Forecasts)
	}
	w.must(w.client.Create(t.Context(), node("d")))
	if s := w.look(0.5); total(s) != 3 || reasonOf(s, v1alpha1.ConditionNodesWarm) != "True AsPlanned" {
		t.Errorf("four nodes are free, one replica waits, and three are wanted ahead: %+v", s)
	}
}
