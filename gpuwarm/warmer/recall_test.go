package warmer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/names"
)

// boundedBy bounds the replicas of the Forecast "demand" by an HPA.
func (w *world) boundedBy(hpa string) {
	w.t.Helper()
	fc := w.forecast(steady)
	w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(fc), fc))
	fc.Status.CapacityPerReplica.Name = hpa
	w.must(w.client.Status().Update(w.t.Context(), fc))
}

// unreadable has reads of a kind fail.
func (w *world) unreadable(kind string) {
	w.unread = func(k string) error {
		if strings.HasSuffix(k, kind) {
			return errInternal
		}
		return nil
	}
}

// While reads fail, the target counts as it was read last: nothing is handed over or begun again,
// and the plan is still followed. If it lasts, it is reported.
func TestAFailedReadHandsNothingOver(t *testing.T) {
	for _, kind := range []string{"HorizontalPodAutoscaler", "Deployment", "WarmPoolList"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, steady, pool(), node("a"), node("b"), node("c"), node("d"), node("e"))
			w.boundedBy("hpa")
			w.another("tokens", "10 10 10 10 10 10 40 40 40 40 40 40 40")
			w.look(0)
			held, pulls := w.ids(names.RolePlaceholder), w.ids(names.RolePull)
			if len(held) != 2 || len(pulls) != 2 {
				t.Fatalf("%d placeholders, %d pulls", len(held), len(pulls))
			}
			w.unreadable(kind)
			for look := range 4 {
				if _, err := w.tryLook(0.1 + float64(look)/60); err == nil {
					t.Fatal("the failure should slow the looks down")
				}
				if diff := cmp.Diff(held, w.ids(names.RolePlaceholder)); diff != "" {
					t.Fatalf("look %d: placeholders: -want, +got:\n%s", look, diff)
				}
				if diff := cmp.Diff(pulls, w.ids(names.RolePull)); diff != "" {
					t.Fatalf("look %d: pulls: -want, +got:\n%s", look, diff)
				}
				s := w.now()
				if s.Forecasts[0].Hold != 2 || s.Forecasts[1].WarmedBy != "demand" {
					t.Errorf("look %d: %+v", look, s.Forecasts)
				}
				if got := reasonOf(s, v1alpha1.ConditionNodesWarm); (got == "False Failed") != (look > 0) {
					t.Errorf("look %d: NodesWarm is %q: %s", look, got, messageOf(s, v1alpha1.ConditionNodesWarm))
				}
			}
			_, _ = w.tryLook(4)
			if n := w.heldFor("demand", "tokens"); n["demand"] != 4 || n["tokens"] != 0 {
				t.Errorf("the larger plan rises: %v", n)
			}
			w.unread = nil
			if s := w.look(4.1); strings.Contains(messageOf(s, v1alpha1.ConditionNodesWarm), "as it was read last") {
				t.Errorf("it is over, and reported on: %s", messageOf(s, v1alpha1.ConditionNodesWarm))
			}
		})
	}
}

// A recalled target does not count for another target, for another HPA, or forever.
func TestRecalledTarget(t *testing.T) {
	retarget := func(w *world) {
		fc := w.forecast(steady)
		w.must(w.client.Get(w.t.Context(), client.ObjectKeyFromObject(fc), fc))
		fc.Spec.TargetRef.Name = "other"
		w.must(w.client.Update(w.t.Context(), fc))
	}
	cases := map[string]struct {
		reason string
		at     float64
		change func(*world)
		known  bool
	}{
		"Same":     {"It is what it was.", 1, func(*world) {}, true},
		"Kept":     {"For as long as it is recalled.", allocate.RecallFor.Minutes(), func(*world) {}, true},
		"Long":     {"And no longer.", allocate.RecallFor.Minutes() + 0.1, func(*world) {}, false},
		"Retarget": {"Another target is another one.", 1, retarget, false},
		"HPA":      {"Another HPA may bound it otherwise.", 1, func(w *world) { w.boundedBy("another") }, false},
		"Restart":  {"After a restart nothing is known.", 1, (*world).restart, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, steady, pool(noImages))
			w.look(0)
			tc.change(w)
			w.unreadable("Deployment")
			if tc.at > 2 { // failing again and again makes it no fresher
				_, _ = w.tryLook(2)
			}
			_, _ = w.tryLook(tc.at)
			_, _ = w.tryLook(tc.at)
			if reported := strings.Contains(messageOf(w.now(), v1alpha1.ConditionNodesWarm),
				"as it was read last"); reported != tc.known {
				t.Errorf("\nReason: %s\nrecalled is %t: %s", tc.reason, reported,
					messageOf(w.now(), v1alpha1.ConditionNodesWarm))
			}
		})
	}
}
