package schedules

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/api/v1alpha1"
)

// The first plan of a new Forecast can be made before its PeakSchedule is seen, and the second one
// with it. The PeakSchedule must be reconciled after the second plan too. Otherwise its status
// would be wrong for minutes.
func TestScheduleIsReconciledAfterEachPlan(t *testing.T) {
	other := peakSchedule(activeWindow("15"))
	other.Name, other.UID = "others", "others"
	other.Spec.ForecastRefs = []v1alpha1.ForecastReference{{Name: "other"}}
	f := newScheduleFixture(
		peakSchedule(activeWindow("15")), other, forecastNamed("affected", nil), forecastNamed("other", nil))
	shown := func() string {
		f.clock.SetTime(f.clock.Now().Add(planBatchDelay))
		status, _ := f.reconcile(t)
		if len(status.Forecasts) != 1 || status.Forecasts[0].Demand == nil {
			return "nothing"
		}
		return status.Forecasts[0].Demand.String()
	}
	want := map[string]time.Duration{"peak": planBatchDelay}
	got := []string{shown()}
	for i, value := range []float64{0, 15} {
		enqueued := f.publish(t, "affected", flatPlan(epoch.Add(time.Duration(i)*time.Second), value))
		if diff := cmp.Diff(want, enqueued); diff != "" {
			t.Errorf("enqueued after plan %d: -want, +got\n%s", i, diff)
		}
		got = append(got, shown())
	}
	if diff := cmp.Diff([]string{"nothing", "0", "15"}, got); diff != "" {
		t.Errorf("the status shows: -want, +got\n%s", diff)
	}
	if enqueued := f.publish(t, "affected", flatPlan(epoch.Add(time.Second), 15)); len(enqueued) > 0 {
		t.Errorf("%v are enqueued after an equal plan", enqueued)
	}
}

// A demand that changes only a little is written when it is demandRefresh old, a larger change at
// once.
func TestSmallChangesOfDemandAreNotWritten(t *testing.T) {
	f := newScheduleFixture(peakSchedule(activeWindow("15")), forecastNamed("affected", flatPlan(epoch, 100)))
	f.reconcile(t)
	var got []string
	for _, step := range []struct {
		after time.Duration
		value float64
	}{
		{time.Minute, 104},
		{time.Minute, 120},
		{time.Minute, 118},
		{demandRefresh - time.Minute, 118},
		{0, 118},
		{time.Second, 0},
		{time.Second, 118},
	} {
		f.clock.SetTime(f.clock.Now().Add(step.after))
		f.publish(t, "affected", flatPlan(f.clock.Now(), step.value))
		status, requeue := f.reconcile(t)
		got = append(got, fmt.Sprintf("%s, again in %s", status.Forecasts[0].Demand, requeue))
	}
	want := []string{
		"100, again in 4m0s", // 4 % more.
		"120, again in 5m0s", // 20 % more.
		"120, again in 4m0s", // 2 % less.
		"118, again in 5m0s", // The value in status is five minutes old.
		"118, again in 5m0s", // The same value.
		"118, again in 29s",  // 0, one second after a write.
		"118, again in 5m0s", // The value in status again.
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want, +got\n%s", diff)
	}
}
