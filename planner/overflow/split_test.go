package overflow

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"headstart.dev/headstart/planner/plan"
)

var origin = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func planOf(values ...float64) plan.Plan {
	return plan.Plan{Start: origin, Segments: []plan.Segment{{Step: time.Minute, Values: values}}}
}

func TestSplit(t *testing.T) {
	nan := math.NaN()
	common := func(most float64, own Claim, others ...Member) *Common {
		return &Common{Most: most, By: Pool, Own: own, Others: others}
	}
	other := func(priority int32, values ...float64) Member {
		p := planOf(values...)
		return Member{Claim: Claim{Name: "other", Priority: priority, Units: 1, Min: 1}, Plan: &p, Capacity: 5}
	}
	own := Claim{Name: "own", Units: 1, Min: 1}
	cases := map[string]struct {
		reason string
		plan   plan.Plan
		limits Limits
		want   *Timeline
	}{
		"NoLimit": {reason: "without any bound nothing is known", plan: planOf(10), want: nil},
		"Fits": {
			reason: "what fits, fits", plan: planOf(10, 20), limits: Limits{MaxReplicas: 4},
			want: &Timeline{Values: []float64{0, 0}},
		},
		"MaxReplicas": {
			reason: "beyond maxReplicas, in the unit of demand",
			plan:   planOf(10, 23, 27, 10), limits: Limits{MaxReplicas: 4},
			want: &Timeline{
				Values: []float64{0, 3, 7, 0}, From: origin.Add(time.Minute), Reason: MaxReplicas,
				Peak: 7, PeakAt: origin.Add(2 * time.Minute), PeakReason: MaxReplicas, Replicas: 2,
			},
		},
		"SmallestBound": {
			reason: "the smallest bound counts, and names the reason",
			plan:   planOf(20), limits: Limits{MaxReplicas: 4, Alone: 3, By: Quota},
			want: &Timeline{
				Values: []float64{5}, From: origin, Reason: Quota, Peak: 5, PeakAt: origin, PeakReason: Quota,
				Replicas: 1,
			},
		},
		"NoRoomAtAll": {
			reason: "a pool that can give nothing leaves all of the plan",
			plan:   planOf(20), limits: Limits{By: Nodes},
			want: &Timeline{
				Values: []float64{20}, From: origin, Reason: Nodes, Peak: 20, PeakAt: origin,
				PeakReason: Nodes, Replicas: 4,
			},
		},
		"Gap": {
			reason: "where the plan has no value, nothing is known",
			plan:   planOf(25, nan, 20), limits: Limits{MaxReplicas: 4},
			want: &Timeline{
				Values: []float64{5, nan, 0}, From: origin, Reason: MaxReplicas, Peak: 5, PeakAt: origin,
				PeakReason: MaxReplicas, Replicas: 1,
			},
		},
		"WayBack": {
			reason: "it comes back once demand is 5 % below what fits, and not at once",
			plan:   planOf(22, 19.9, 19.5, 18.9, 19.9), limits: Limits{MaxReplicas: 4},
			want: &Timeline{
				Values: []float64{2, 0.9, 0.5, 0, 0}, From: origin, Reason: MaxReplicas,
				Peak: 2, PeakAt: origin, PeakReason: MaxReplicas, Replicas: 1,
			},
		},
		"WayBackFromLast": {
			reason: "what overflowed by the last plan stays within the margin too",
			plan:   planOf(19.5, 19.5), limits: Limits{MaxReplicas: 4, Last: 0.3},
			want: &Timeline{
				Values: []float64{0.3, 0.3}, From: origin, Reason: MaxReplicas,
				Peak: 0.3, PeakAt: origin, PeakReason: MaxReplicas, Replicas: 1,
			},
		},
		"SharedEvenly": {
			reason: "services of one priority share evenly, and none is held back",
			plan:   planOf(20, 20), limits: Limits{Common: common(6, own, other(0, 20, 5))},
			want: &Timeline{
				Values: []float64{5, 0}, From: origin, Reason: Shared, Peak: 5, PeakAt: origin,
				PeakReason: Shared, Replicas: 1,
			},
		},
		"HigherPriority": {
			reason: "the higher priority keeps what it needs",
			plan:   planOf(20, 20),
			limits: Limits{Common: common(6, Claim{Name: "own", Priority: 9, Units: 1, Min: 1}, other(0, 20, 5))},
			want:   &Timeline{Values: []float64{0, 0}, TakesFrom: origin},
		},
		"LowerPriority": {
			reason: "the lower priority is held back, as much earlier as it takes to give replicas up",
			plan:   planOf(15, 15, 15, 15),
			limits: Limits{Release: time.Minute, Common: common(6, own, other(9, 5, 5, 20, 5))},
			want: &Timeline{
				Values: []float64{0, 5, 5, 0}, Most: []float64{nan, 7.5, 7.5, nan},
				From: origin.Add(time.Minute), Reason: Priority, Peak: 5, PeakAt: origin.Add(time.Minute),
				PeakReason: Priority, Replicas: 1,
			},
		},
		"KeepsMinimum": {
			reason: "a service keeps its minimum, whatever the others need",
			plan:   planOf(15), limits: Limits{Common: common(6, own, other(9, 90))},
			want: &Timeline{
				Values: []float64{10}, Most: []float64{2.5}, From: origin, Reason: Priority, Peak: 10, PeakAt: origin,
				PeakReason: Priority, Replicas: 2,
			},
		},
		"AloneTooLarge": {
			reason: "a service that is short though the others have nothing is bounded by the pool",
			plan:   planOf(50),
			limits: Limits{Common: common(6, own, Member{Claim: Claim{Name: "idle", Units: 1}, Capacity: 5})},
			want: &Timeline{
				Values: []float64{20}, From: origin, Reason: Pool, Peak: 20, PeakAt: origin, PeakReason: Pool,
				Replicas: 4,
			},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got := Split(tc.plan, 5, tc.limits)
			diff := cmp.Diff(tc.want, got, cmpopts.EquateNaNs(), cmpopts.EquateApprox(0, 1e-9))
			if diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// What overflows and what fits are the plan together, but for the margin on the way back.
func TestSplitCoversThePlan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 500), 1, 50).Draw(t, "values")
		capacity := rapid.Float64Range(0.5, 20).Draw(t, "capacity")
		l := Limits{
			MaxReplicas: rapid.IntRange(1, 30).Draw(t, "max"), Last: rapid.Float64Range(0, 50).Draw(t, "last"),
			Release: time.Duration(rapid.IntRange(0, 10).Draw(t, "release")) * time.Minute,
		}
		if rapid.Bool().Draw(t, "shared") {
			p := planOf(rapid.SliceOfN(rapid.Float64Range(0, 500), 1, 50).Draw(t, "other")...)
			l.Common = &Common{
				Most: rapid.Float64Range(0, 60).Draw(t, "most"), By: Pool, Own: Claim{Name: "own", Units: 1, Min: 1},
				Others: []Member{{
					Claim: Claim{Name: "other", Units: 2, Priority: rapid.Int32Range(-1, 1).Draw(t, "priority")},
					Plan:  &p, Capacity: capacity,
				}},
			}
		}
		got := Split(planOf(values...), capacity, l)
		for i, v := range values {
			over, fits := got.Values[i], float64(l.MaxReplicas)*capacity
			switch {
			case over < 0 || over > v+1e-9:
				t.Fatalf("step %d: %v of %v overflow", i, over, v)
			case v-over > fits+1e-6:
				t.Fatalf("step %d: %v are left, and %v fit", i, v-over, fits)
			case l.Common == nil && over > max(0, v-fits*(1-margin))+1e-6:
				t.Fatalf("step %d: %v of %v overflow, and %v fit", i, over, v, fits)
			case got.Most != nil && !math.IsNaN(got.Most[i]) && v-over > got.Most[i]+0.5*capacity+1e-6:
				t.Fatalf("step %d: %v are left, and at most %v are served", i, v-over, got.Most[i])
			}
		}
	})
}
