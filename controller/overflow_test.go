package controller

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/clusters"
	"headstart.dev/headstart/planner/plan"
)

// peaksForecast is a Forecast of the peaks alone.
func peaksForecast(name string, priority int32) *v1alpha1.Forecast {
	fc := shortForecast(name, "")
	fc.Spec.Demand, fc.Spec.Priority, fc.Spec.Unit = nil, priority, "requests/s"
	fc.Spec.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("10m"))}
	return fc
}

// peaksHPA reads a Forecast with a replica for each 10.
func peaksHPA(name string, least, most int32) *autoscalingv2.HorizontalPodAutoscaler {
	hpa := &autoscalingv2.HorizontalPodAutoscaler{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
	hpa.Spec = autoscalingv2.HorizontalPodAutoscalerSpec{
		ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{
			APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion",
		},
		MinReplicas: &least, MaxReplicas: most,
		Metrics: []autoscalingv2.MetricSpec{{
			Type: autoscalingv2.ExternalMetricSourceType,
			External: &autoscalingv2.ExternalMetricSource{
				Metric: autoscalingv2.MetricIdentifier{Name: name},
				Target: autoscalingv2.MetricTarget{
					Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse("10")),
				},
			},
		}},
	}
	return hpa
}

// A plan beyond maxReplicas says from when, how much and why, in words and as a timeline.
func TestOverflowInStatus(t *testing.T) {
	fc := peaksForecast("fc", 0)
	fc.Spec.LeadTime.Fixed = new(v1alpha1.Duration("10m20s"))
	f := newFixture(t, nil, deployment(), fc, peaksHPA("fc", 1, 40), noonPeak("fc"))
	f.step(t, "fc", 8*time.Hour)
	f.wantCondition(t, "fc", v1alpha1.ConditionFitsCluster, metav1.ConditionFalse, "MaxReplicas")
	over := f.get(t, "fc").Status.Overflow
	if over == nil {
		t.Fatal("status has no overflow")
	}
	if over.Version != 1 || over.Unit != "requests/s" || over.Peak.String() != "100" || over.PeakReplicas != 10 {
		t.Errorf("the overflow is %+v, want 100 requests/s, which are 10 replicas", over)
	}
	if over.Lead != "11m" {
		t.Errorf("its values look %s ahead, want the lead in whole steps", over.Lead)
	}
	start := gaugeValue(t, f.metrics.overStart.WithLabelValues("shop", "fc"))
	if start != float64(over.From.Unix()) || gaugeValue(t, f.metrics.overPeak.WithLabelValues("shop", "fc")) != 100 {
		t.Errorf("by the metrics it overflows from %v on, want %s, and a peak of 100", start, over.From)
	}
	decoded, err := plan.Decode(over.Timeline)
	if err != nil {
		t.Fatal(err)
	}
	noon := f.clock.Now().Truncate(24 * time.Hour).Add(12 * time.Hour)
	for name, tc := range map[string]struct {
		at   time.Time
		want float64
	}{"Before": {noon.Add(-time.Hour), 0}, "Peak": {noon.Add(time.Hour), 100}, "After": {noon.Add(3 * time.Hour), 0}} {
		if got, _ := decoded.At(tc.at); got != tc.want {
			t.Errorf("%s: %v overflow, want %v", name, got, tc.want)
		}
	}
	if early := noon.Sub(over.From.Time); early < 10*time.Minute || early > 40*time.Minute {
		t.Errorf("it overflows %s before noon, want a lead and the ramp", early)
	}
	warned := false
	for len(f.events.Events) > 0 {
		if strings.Contains(<-f.events.Events, "FitsCluster") {
			warned = true
		}
	}
	if !warned {
		t.Error("no Event says that the plan does not fit")
	}

	// More room is told at once, and the timeline is gone.
	hpa := peaksHPA("fc", 1, 60)
	hpa.ResourceVersion = ""
	if err := f.client.Update(t.Context(), hpa); err != nil {
		t.Fatal(err)
	}
	f.step(t, "fc", time.Minute)
	f.wantCondition(t, "fc", v1alpha1.ConditionFitsCluster, metav1.ConditionTrue, "Fits")
	if over := f.get(t, "fc").Status.Overflow; over != nil {
		t.Errorf("what fits still overflows: %+v", over)
	}
	if n := collected(f.metrics.overStart) + collected(f.metrics.overPeak); n != 0 {
		t.Errorf("%d series are left of what does not overflow any more", n)
	}

	// Nothing is left of a Forecast that is gone.
	if n := collected(f.metrics.overflow) + collected(f.metrics.share); n != 6 {
		t.Errorf("%d series of shares, want 6: now and a lead ahead", n)
	}
	f.metrics.forget(named("fc"))
	if n := collected(f.metrics.overflow) + collected(f.metrics.share); n != 0 {
		t.Errorf("%d series of shares are left", n)
	}
}

// Two services of a WarmPool are short together: the one with priority keeps its places, the other
// is held back, and both say so.
func TestPriority(t *testing.T) {
	pool := &v1alpha1.WarmPool{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pool"}}
	pool.Status.Rooms = []v1alpha1.WarmRoom{{
		Resource: "nvidia.com/gpu", Most: resource.MustParse("75"), By: "Pool", Members: []v1alpha1.WarmRoomMember{
			{Forecast: "gold", Units: resource.MustParse("1")}, {Forecast: "iron", Units: resource.MustParse("1")},
		},
	}}
	noon := noonPeak("gold")
	noon.Spec.ForecastRefs = append(noon.Spec.ForecastRefs, v1alpha1.ForecastReference{Name: "iron"})
	f := newFixture(t, nil, deployment(), pool, noon, peaksForecast("gold", 10), peaksForecast("iron", 0),
		peaksHPA("gold", 1, 99), peaksHPA("iron", 5, 99))
	for range 3 { // each sees the other's plan
		f.step(t, "gold", 30*time.Second)
		f.step(t, "iron", 30*time.Second)
	}
	f.wantCondition(t, "gold", v1alpha1.ConditionFitsCluster, metav1.ConditionTrue, "TakesPriority")
	f.wantCondition(t, "iron", v1alpha1.ConditionFitsCluster, metav1.ConditionFalse, "Priority")
	decoded, err := plan.Decode(*f.get(t, "iron").Status.Plan)
	if err != nil {
		t.Fatal(err)
	}
	at := f.clock.Now().Truncate(24 * time.Hour).Add(13 * time.Hour)
	most, bounded := decoded.MostAt(at)
	if got := plan.Replicas(most, 10); !bounded || got != 25 {
		t.Errorf("iron may have %d replicas at the peak (%v), want the 25 that gold leaves", got, bounded)
	}
	if _, bounded := decoded.MostAt(at.Add(-6 * time.Hour)); bounded {
		t.Error("iron is held back outside of the peak")
	}
}

// farClusters is an OverflowReader with one reading.
type farClusters struct {
	reading *clusters.Reading
	err     error
}

func (f farClusters) Of(types.NamespacedName, clusters.Reference) (clusters.Reading, error) {
	return *f.reading, f.err
}
func (farClusters) Forget(types.NamespacedName)        {}
func (farClusters) Changes() <-chan event.GenericEvent { return nil }

// farForecast is a Forecast of another cluster, of which 70 overflow from noon on for two hours, and
// whose timeline is known for a day.
func farForecast(midnight time.Time) *v1alpha1.Forecast {
	fc := peaksForecast("far", 0)
	fc.UID = "far-uid"
	fc.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionFitsCluster, Status: metav1.ConditionFalse}}
	fc.Status.Overflow = &v1alpha1.Overflow{Version: 1, Unit: "requests/s", Lead: "10m", Timeline: v1alpha1.Plan{
		ComputedAt: metav1.NewTime(midnight), Start: metav1.NewTime(midnight), Segments: []v1alpha1.PlanSegment{
			{Step: "2h", Values: "0 0 0 0 0 0 70 0 0 0 0 0"},
		},
	}}
	return fc
}

// The overflow of another cluster is planned for a lead ahead. While the link is away, and after a
// restart, the last timeline counts until it ends.
func TestOverflowOf(t *testing.T) {
	near := peaksForecast("near", 0)
	near.Spec.OverflowOf = &v1alpha1.OverflowReference{Cluster: "far", Forecast: "shop/far"}
	f := newFixture(t, nil, deployment(), near, peaksHPA("near", 1, 99))
	midnight := epoch.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
	f.clock.SetTime(midnight)
	reading := &clusters.Reading{}
	f.overflows = farClusters{reading: reading}

	f.step(t, "near", time.Minute)
	f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionUnknown, "Reading")
	if p := f.get(t, "near").Status.Plan; p != nil {
		t.Errorf("a plan without a timeline: %+v", p)
	}

	*reading = clusters.Reading{Forecast: farForecast(midnight), Synced: true}
	f.step(t, "near", time.Minute)
	f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionTrue, "Read")
	f.wantReady(t, "near")
	f.wantFarPlan(t, midnight)
	if at := gaugeValue(t, f.metrics.timeline.WithLabelValues("shop", "near")); at != float64(midnight.Unix()) {
		t.Errorf("the timeline is of %v by its metric, want %d", at, midnight.Unix())
	}
	if diff := cmp.Diff([]string{"far-uid"}, f.get(t, "near").Status.OverflowOf.Chain); diff != "" {
		t.Errorf("the chain: -want, +got\n%s", diff)
	}

	away := midnight.Add(time.Hour)
	*reading = clusters.Reading{Err: errors.New("connection refused"), Since: away}
	f.changeLeader()
	f.step(t, "near", 2*time.Hour)
	f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionFalse, "LinkAway")
	f.wantReady(t, "near")
	f.wantFarPlan(t, midnight)
	if since := f.get(t, "near").Status.OverflowOf.AwaySince; since == nil || !since.Time.Equal(away) {
		t.Errorf("it is away since %v, want %s", since, away)
	}
	since, until := "since "+away.Format(time.RFC3339), "until "+midnight.Add(24*time.Hour).Format(time.RFC3339)
	if c := f.condition(t, "near", v1alpha1.ConditionOverflowRead); !contains(c.Message, since, until) {
		t.Errorf("the message is %q", c.Message)
	}

	f.step(t, "near", 21*time.Hour)
	*reading = clusters.Reading{Forecast: farForecast(midnight), Synced: true}
	f.step(t, "near", 2*time.Hour)
	f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionFalse, "TimelineEnded")
	ended := "ended at " + midnight.Add(24*time.Hour).Format(time.RFC3339)
	if c := f.condition(t, "near", v1alpha1.ConditionOverflowRead); !contains(c.Message, ended, "onPlanExpiry") {
		t.Errorf("the message is %q", c.Message)
	}
	f.wantCondition(t, "near", v1alpha1.ConditionServing, metav1.ConditionFalse, "PlanExpired")
	if c := f.condition(t, "near", v1alpha1.ConditionServing); !contains(c.Message, "onPlanExpiry", "OverflowRead") {
		t.Errorf("the message is %q", c.Message)
	}
}

// wantFarPlan checks the plan for what overflows at noon.
func (f *fixture) wantFarPlan(t *testing.T, midnight time.Time) {
	t.Helper()
	decoded, err := plan.Decode(*f.get(t, "near").Status.Plan)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		at   time.Duration
		want float64
	}{"Before": {11 * time.Hour, 0}, "Peak": {13 * time.Hour, 70}, "After": {15 * time.Hour, 0}} {
		if got, ok := decoded.At(midnight.Add(tc.at)); !ok || got != tc.want {
			t.Errorf("%s: %v is planned, want %v", name, got, tc.want)
		}
	}
	if end := decoded.End(); !end.Equal(midnight.Add(24 * time.Hour)) {
		t.Errorf("the plan ends at %s, not with the timeline", end)
	}
}

// What overflows from another cluster is that cluster's promise: the accuracy of a Forecast that
// plans it beside its own demand is the same as without it.
func TestAccuracyIsOfTheOwnDemand(t *testing.T) {
	steps := 400
	if testing.Short() {
		steps = 120
	}
	record := func(overflow bool) *v1alpha1.AccuracyStatus {
		near := fiveMinuteForecast()
		near.Spec.Unit = "requests/s"
		if overflow {
			near.Spec.OverflowOf = &v1alpha1.OverflowReference{Cluster: "far", Forecast: "shop/far"}
		}
		f := newFixture(t, dailyHistory(0.05), near, deployment())
		reading := &clusters.Reading{Synced: true}
		f.overflows = farClusters{reading: reading}
		for range steps {
			far := farForecast(f.clock.Now().UTC().Truncate(24 * time.Hour))
			day := &far.Status.Overflow.Timeline.Segments[0]
			day.Values += " " + day.Values // and the next day, so that a day is known at any time
			reading.Forecast = far
			f.step(t, "fc", 5*time.Minute)
		}
		return f.get(t, "fc").Status.Accuracy
	}
	alone, with := record(false), record(true)
	if alone == nil || with == nil || int(with.LastWeek.Windows) < steps-50 {
		t.Fatalf("accuracy = %+v, and without the overflow %+v", with, alone)
	}
	for name, figures := range map[string][2]string{
		"coverage": {alone.LastWeek.Coverage, with.LastWeek.Coverage}, "bias": {alone.LastWeek.Bias, with.LastWeek.Bias},
		"skill": {alone.LastWeek.Skill, with.LastWeek.Skill},
	} {
		was, err := strconv.ParseFloat(figures[0], 64)
		is, err2 := strconv.ParseFloat(figures[1], 64)
		if err != nil || err2 != nil || math.Abs(is-was) > 0.02 {
			t.Errorf("%s is %s, and %s without the overflow", name, figures[1], figures[0])
		}
	}
}

// What the configuration no longer allows ends at once, with the plan and the timeline in status.
func TestOverflowNotAllowedAnyMore(t *testing.T) {
	for _, kind := range []clusters.Kind{clusters.ClusterUnknown, clusters.NamespaceRefused} {
		t.Run(string(kind), func(t *testing.T) {
			near := peaksForecast("near", 0)
			near.Spec.OverflowOf = &v1alpha1.OverflowReference{Cluster: "far", Forecast: "shop/far"}
			f := newFixture(t, nil, deployment(), near, peaksHPA("near", 1, 40))
			midnight := epoch.UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
			f.clock.SetTime(midnight)
			reading := &clusters.Reading{Forecast: farForecast(midnight), Synced: true}
			f.overflows = farClusters{reading: reading}
			f.step(t, "near", time.Minute)
			f.wantFarPlan(t, midnight)

			f.overflows = farClusters{reading: &clusters.Reading{}, err: &clusters.Error{Kind: kind, Message: "no"}}
			f.step(t, "near", time.Minute)
			f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionFalse, string(kind))
			f.wantCondition(t, "near", v1alpha1.ConditionServing, metav1.ConditionUnknown, "NoPlan")
			status := f.get(t, "near").Status
			if status.Plan != nil || status.Overflow != nil || status.OverflowOf.Timeline != nil {
				t.Errorf("the plan is %v, its overflow %v, the timeline %v",
					status.Plan, status.Overflow, status.OverflowOf.Timeline)
			}
		})
	}
}

// What must not be planned for is not, though it is known.
func TestOverflowRefused(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.Forecast)
		want   string
	}{
		"Unit":  {"another unit", func(fc *v1alpha1.Forecast) { fc.Spec.Unit = "tokens/s" }, "UnitDiffers"},
		"Cycle": {"itself", func(fc *v1alpha1.Forecast) { fc.UID = "near" }, "Cycle"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			near := peaksForecast("near", 0)
			near.Spec.OverflowOf = &v1alpha1.OverflowReference{Cluster: "far", Forecast: "shop/far"}
			f := newFixture(t, nil, deployment(), near)
			fc := farForecast(epoch)
			tc.change(fc)
			f.overflows = farClusters{reading: &clusters.Reading{Forecast: fc, Synced: true}}
			f.step(t, "near", time.Minute)
			f.wantCondition(t, "near", v1alpha1.ConditionOverflowRead, metav1.ConditionFalse, tc.want)
			if p := f.get(t, "near").Status.Plan; p != nil {
				t.Errorf("%s is planned for: %+v", tc.reason, p)
			}
		})
	}
}
