package values

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/planner/plan"
)

// The shares are those of now and of a lead ahead. Without an overflow all is served here.
func TestShares(t *testing.T) {
	start := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	timeline := func(values string) v1alpha1.Plan {
		return v1alpha1.Plan{Start: metav1.NewTime(start), Segments: []v1alpha1.PlanSegment{{Step: "10m", Values: values}}}
	}
	fc := &v1alpha1.Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	fc.Spec.Unit, fc.Spec.OverflowOf = "requests/s", &v1alpha1.OverflowReference{Cluster: "far"}
	fc.Status.LeadTime = &v1alpha1.LeadTimeStatus{Value: "10m"}
	fc.Status.Plan = new(timeline("50 80"))
	fc.Status.Overflow = &v1alpha1.Overflow{Version: 1, Timeline: timeline("0 20")}
	all, err := plan.Decode(*fc.Status.Plan)
	if err != nil {
		t.Fatal(err)
	}
	reasonOf := func(err error) adapter.Reason {
		why, _ := errors.AsType[*adapter.Unavailable](err)
		if why == nil {
			return ""
		}
		return why.Reason
	}
	p := NewPlans(nil, nil)
	store := func() {
		p.entries[types.NamespacedName{Namespace: "shop", Name: "web"}] = &planEntry{plan: &all, overflow: overflowOf(fc)}
	}
	store()
	got, err := p.Shares("shop", "web", start)
	if err != nil {
		t.Fatal(err)
	}
	want := adapter.Shares{
		Forecast: "shop/web", Unit: "requests/s", OverflowOf: "far",
		Now:       adapter.Share{At: start, Demand: 50, Here: 1},
		LeadAhead: adapter.Share{At: start.Add(10 * time.Minute), Demand: 80, OverflowDemand: 20, Here: 0.75, Overflow: 0.25},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}

	fc.Status.Overflow.Version = 2
	store()
	if got, err := p.Shares("shop", "web", start); err != nil || got.LeadAhead.Here != 1 {
		t.Errorf("a form that is not known: %+v, %v", got, err)
	}
	if _, err := p.Shares("shop", "web", start.Add(time.Hour)); reasonOf(err) != adapter.ReasonNoPlan {
		t.Errorf("after the end of the plan: %v", err)
	}
	if _, err := p.Shares("shop", "other", start); reasonOf(err) != adapter.ReasonNotFound {
		t.Errorf("an unknown Forecast: %v", err)
	}
}
