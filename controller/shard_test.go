package controller

import (
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/gpuwarm"
)

// shardStub owns what its function says.
type shardStub struct{ owns func(key string) bool }

func (s shardStub) Owns(key string) bool             { return s.owns(key) }
func (shardStub) Changes() <-chan event.GenericEvent { return nil }

func owning(owns *bool) kube.Shard { return shardStub{func(string) bool { return *owns }} }

// A replica that loses a Forecast to another drops all that it has of it, and writes nothing. When
// the Forecast comes back, it goes on from the status.
func TestForecastMovesToAnotherReplica(t *testing.T) {
	owns := true
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment())
	f.shard = owning(&owns)
	f.step(t, "fc", time.Minute)
	f.wantReady(t, "fc")
	writes := len(f.writes["fc"])

	owns = false
	if got := f.reconcile(t, "fc"); got != (ctrl.Result{}) {
		t.Errorf("a Forecast of another replica is reconciled again: %+v", got)
	}
	if len(f.states) != 0 || collected(f.metrics.planEnd) != 0 {
		t.Errorf("%d states and %d metrics of a Forecast of another replica are left", len(f.states),
			collected(f.metrics.planEnd))
	}
	f.step(t, "fc", time.Minute)
	if n := len(f.writes["fc"]) - writes; n != 0 {
		t.Errorf("%d writes to the status of a Forecast of another replica", n)
	}

	owns = true
	f.step(t, "fc", 10*time.Minute)
	f.wantReady(t, "fc")
	if n := len(f.get(t, "fc").Status.RecentWrites); n != len(f.writes["fc"]) || n <= writes {
		t.Errorf("the status counts %d writes, want all %d", n, len(f.writes["fc"]))
	}
}

// What another replica has learned about the starts of its Forecasts is the prior of a new service
// here too, and stays known when a Forecast comes to another owner.
func TestPriorsOfForecastsOfOtherReplicas(t *testing.T) {
	other := shortForecast("other", "q")
	other.Spec.TargetRef.Name = "another"
	other.Status.LeadTime = &v1alpha1.LeadTimeStatus{
		WarmUp: "3m0s", Starts: 9, RecentStarts: []v1alpha1.StartRecord{{Pod: "p", Key: "image-pool"}},
	}
	f := newFixture(t, dailyHistory(0.05), other)
	me := gpuwarm.Service{Namespace: other.Namespace, Forecast: "new", Target: "Deployment.apps/new"}
	prior := func() int {
		_, starts := f.poolWarmUps.Others(me, "pool")
		return starts
	}
	f.shard = shardStub{func(string) bool { return false }}
	f.reconcile(t, "other")
	if got := prior(); got != 9 {
		t.Errorf("%d starts are known of a Forecast of another replica, want 9", got)
	}
	changed := other.DeepCopy()
	changed.Status.LeadTime.Starts = 12
	f.forecastEvents().Update(t.Context(), event.UpdateEvent{ObjectOld: other, ObjectNew: changed}, nil)
	if got := prior(); got != 12 {
		t.Errorf("%d starts are known after its owner saw more, want 12", got)
	}
	if err := f.client.Delete(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	f.reconcile(t, "other")
	if got := prior(); got != 0 {
		t.Errorf("%d starts are known of a Forecast that is gone", got)
	}
}
