package controller

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

// mostWritesInAnHour returns the largest number of writes in any hour.
func mostWritesInAnHour(times []time.Time) int {
	most := 0
	for i, first := range times {
		n := 0
		for _, at := range times[i:] {
			if at.Sub(first) < time.Hour {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestWritesPerHourAreBounded(t *testing.T) {
	f := newFixture(t, dailyHistory(0.6), shortForecast("noisy", "q"), deployment())
	hours := 4
	if testing.Short() {
		hours = 2
	}
	for range hours * 60 {
		f.step(t, "noisy", time.Minute)
	}
	times := f.writes["noisy"]
	if len(times) < 3*hours {
		t.Fatalf("%d writes in %d hours: the plan is not refreshed", len(times), hours)
	}
	if n := mostWritesInAnHour(times); n > 12 {
		t.Fatalf("%d writes in an hour, want at most 12", n)
	}
	t.Logf("%d writes in %d hours of a series with 60 %% noise", len(times), hours)
}

func TestPlanIsPublishedAndSmall(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05),
		shortForecast("calm", "q"), deployment(), new(hpaReading("calm", "calm", nil)))
	f.step(t, "calm", time.Minute)
	for kind, want := range map[string]metav1.ConditionStatus{
		v1alpha1.ConditionReady:           "True",
		v1alpha1.ConditionHistoryReady:    "True",
		v1alpha1.ConditionServing:         "True",
		v1alpha1.ConditionSkilled:         "True",
		v1alpha1.ConditionHPALinted:       "True",
		v1alpha1.ConditionLeadTimeLearned: "False",
	} {
		if c := f.condition(t, "calm", kind); c.Status != want || c.Message == "" {
			t.Errorf("condition %s = %+v, want %s with a message", kind, c, want)
		}
	}
	status := f.get(t, "calm").Status
	if status.Plan == nil {
		t.Fatal("no plan is published")
	}
	size := 0
	for _, s := range status.Plan.Segments {
		size += len(s.Values) + len(s.Step)
	}
	if size > 4096 {
		t.Errorf("the plan of a day takes %d bytes, want less than 4 KiB", size)
	}
	if c := status.CapacityPerReplica; c == nil || c.Value.String() != "5" || c.Name != "calm" {
		t.Errorf("capacity = %+v, want 5 from the HPA", c)
	}
	if l := status.LeadTime; l == nil || l.Source != v1alpha1.LeadSourceDefault || l.Starts != 0 {
		t.Errorf("lead = %+v, want the default without starts", l)
	}
	if len(f.events.Events) == 0 {
		t.Error("there is no Event about the conditions")
	}
}

func TestReadErrorsBecomeConditions(t *testing.T) {
	several := &history.Error{
		Kind: history.ErrSeveralSeries, Message: "the query gives 10 series: aggregate with sum()",
	}
	histories := map[string]*fakeHistory{"bad": {err: several}, "good": {demand: daily(0.05)}}
	f := newFixture(t, histories, shortForecast("bad", "bad"), shortForecast("good", "good"),
		shortForecast("lost", "no-such-source"), deployment())
	for range 3 {
		f.step(t, "bad", time.Second)
		f.step(t, "lost", time.Second)
		f.step(t, "good", time.Minute)
	}
	for name, reason := range map[string]string{"bad": "SeveralSeries", "lost": "SourceUnknown"} {
		f.wantCondition(t, name, v1alpha1.ConditionHistoryReady, "False", reason)
		f.wantCondition(t, name, v1alpha1.ConditionReady, "False", reason)
	}
	f.wantReady(t, "good")
}

func TestOutageKeepsThePlan(t *testing.T) {
	histories := dailyHistory(0.05)
	f := newFixture(t, histories, shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	before := f.get(t, "fc").Status.Plan
	histories["q"].err = errUnreachable()
	for range 30 {
		f.step(t, "fc", time.Minute)
	}
	if after := f.get(t, "fc").Status.Plan; after == nil || !after.End.Equal(&before.End) {
		t.Fatalf("the outage changed the plan: %+v", after)
	}
	f.wantCondition(t, "fc", v1alpha1.ConditionHistoryReady, "False", "Unreachable")
	f.wantReady(t, "fc") // The plan is served during the outage.
}

func TestMissingTargetMakesUnready(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"))
	f.step(t, "fc", time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionReady, "False", reasonTargetNotFound)
}

func TestInvalidSpecKeepsThePlan(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment())
	f.step(t, "fc", time.Minute)
	fc := f.get(t, "fc")
	fc.Spec.Seasonality.TimeZone, fc.Generation = "Mars/Olympus", 2
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionReady, "False", "InvalidSpec")
	key := client.ObjectKeyFromObject(fc)
	ready := f.metrics.conditions.WithLabelValues(key.Namespace, key.Name, v1alpha1.ConditionReady)
	if got := testutil.ToFloat64(ready); got != 0 {
		t.Errorf("the metric of Ready is %v, so no alert fires", got)
	}
	if f.get(t, "fc").Status.Plan == nil {
		t.Error("an invalid spec removes the plan from status")
	}
}

func TestFailedWriteIsAnError(t *testing.T) {
	f := newFixture(t, dailyHistory(0.05), shortForecast("fc", "q"), deployment())
	failed := errors.New("etcd does not answer")
	f.client = interceptor.NewClient(f.client.(client.WithWatch), interceptor.Funcs{
		SubResourceGet: fakeScale,
		SubResourcePatch: func(
			context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption,
		) error {
			return failed
		},
	})
	f.reconcile(t, "fc")
	<-f.fetch.Done()
	if _, err := f.Reconcile(t.Context(), ctrl.Request{NamespacedName: named("fc")}); !errors.Is(err, failed) {
		t.Errorf("error = %v, want that of the write", err)
	}
}
