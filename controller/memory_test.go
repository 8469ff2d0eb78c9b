package controller

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
)

// A growingHistory is a reader whose reads share memory, as those of a history.Reader do.
type growingHistory struct {
	clock  *clocktesting.FakePassiveClock
	set    planner.Settings
	demand func(time.Time) float64
	series history.Series
}

func (*growingHistory) Notes() history.Notes { return history.Notes{} }

func (r *growingHistory) Read(context.Context) (history.Series, int, error) {
	end := history.FloorTo(r.clock.Now().Add(-r.set.Settle), r.set.Step)
	if r.series.Values == nil {
		n := int(r.set.ReadSpan() / r.set.Step)
		r.series = history.Series{
			Start: end.Add(-r.set.ReadSpan()), Step: r.set.Step, Values: make([]float64, 0, n+n/256),
		}
	}
	for at := r.series.End(); at.Before(end); at = at.Add(r.set.Step) {
		r.series.Values = append(r.series.Values, r.demand(at))
	}
	s := r.series
	s.Values = slices.Clip(s.Values)
	return s, 1, nil
}

// keptPerForecast drives n default Forecasts, with 28 days at one minute, through some evaluations.
// It returns how many bytes the reconciler then keeps for each.
func keptPerForecast(tb testing.TB, n int, provision v1alpha1.ProvisionFor) int {
	tb.Helper()
	var objects []client.Object
	for i := range n {
		fc := faceFusion()
		fc.Name = fmt.Sprint("fc-", i)
		fc.UID, fc.Spec.ProvisionFor = types.UID(fc.Name), provision
		objects = append(objects, fc)
	}
	f := newFixture(tb, nil, append(objects, deployment())...)
	f.open = func(_ string, set planner.Settings) (reads.SeriesReader, error) {
		return &growingHistory{clock: f.clock, set: set, demand: daily(0.1)}, nil
	}
	for range 3 {
		f.clock.SetTime(f.clock.Now().Add(time.Minute))
		for i := range n {
			f.settle(tb, fmt.Sprint("fc-", i))
		}
	}
	for i := range n {
		if fc := f.get(tb, fmt.Sprint("fc-", i)); fc.Status.Plan == nil || fc.Status.Model == nil {
			tb.Fatalf("%s has no plan or no model: %+v", fc.Name, fc.Status)
		}
	}
	with := heapInUse()
	f.changeLeader()
	without := heapInUse()
	runtime.KeepAlive(f)
	return int(with-without) / n //nolint:gosec // small
}

// settle reconciles a Forecast until its read of this step has ended and is planned with.
func (f *fixture) settle(tb testing.TB, name string) {
	tb.Helper()
	for range 2 {
		if _, err := f.Reconcile(tb.Context(), ctrl.Request{NamespacedName: named(name)}); err != nil {
			tb.Fatal(err)
		}
		if !f.fetch.Busy(reads.Key{Forecast: named(name), Part: reads.Demand}) {
			return
		}
		<-f.fetch.Done()
	}
}

func heapInUse() uint64 {
	for range 4 { // What pools keep goes only with the second collection after its last use.
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The two contracts: under a shortage cost, more models are kept.
func contracts() map[string]v1alpha1.ProvisionFor {
	return map[string]v1alpha1.ProvisionFor{
		"service level": {ServiceLevel: new(v1alpha1.Decimal("0.99"))},
		"shortage cost": {ShortageCost: new(v1alpha1.Decimal("20"))},
	}
}

// The design promises 400 KiB. The bound is generous, and finds a second copy of the series.
func TestMemoryOfAForecast(t *testing.T) {
	const most = 500 << 10
	for name, provision := range contracts() {
		got := keptPerForecast(t, 3, provision)
		t.Logf("%s: the controller keeps %d KiB for a Forecast", name, got>>10)
		if got > most {
			t.Errorf("%s: that is more than %d KiB", name, most>>10)
		}
	}
}

// BenchmarkMemoryOfAForecast reports what the controller keeps.
func BenchmarkMemoryOfAForecast(b *testing.B) {
	for name, provision := range contracts() {
		b.Run(name, func(b *testing.B) {
			kept := 0
			for b.Loop() {
				kept = keptPerForecast(b, 20, provision)
			}
			b.ReportMetric(float64(kept), "kept-B/forecast")
		})
	}
}
