package plan

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
)

func TestServe(t *testing.T) {
	nan := math.NaN()
	made := origin.Add(-time.Minute)
	thePlan := &Plan{
		ComputedAt: made, Start: origin,
		Segments: []Segment{{Step: time.Minute, Values: []float64{10, nan, 0}}},
	}
	seen := origin.Add(-10 * time.Second)
	heldBack := &Plan{
		ComputedAt: made, Start: origin,
		Segments: []Segment{{Step: time.Minute, Values: []float64{10, 4}, Most: []float64{7.5, 7.5}}},
	}
	cases := map[string]struct {
		reason string
		in     ServeInput
		want   Served
		err    error
	}{
		"Plan": {
			reason: "the plan, where it is more than what is observed",
			in:     ServeInput{Plan: thePlan, Observed: 7, ObservedAt: seen, Now: origin},
			want:   Served{Value: 10, ComputedAt: made, Source: SourcePlan},
		},
		"Floor": {
			reason: "never below observed",
			in:     ServeInput{Plan: thePlan, Observed: 12, ObservedAt: seen, Now: origin},
			want:   Served{Value: 12, ComputedAt: seen, Source: SourceObserved},
		},
		"OldFloor": {
			reason: "an observation older than three polls is no lower bound, and FloorDropped is set",
			in:     ServeInput{Plan: thePlan, Observed: 12, ObservedAt: origin.Add(-91 * time.Second), Now: origin},
			want:   Served{Value: 10, ComputedAt: made, Source: SourcePlan, FloorDropped: true},
		},
		"FutureFloor": {
			reason: "an observation of the future is as good as an old one",
			in:     ServeInput{Plan: thePlan, Observed: 12, ObservedAt: origin.AddDate(1, 0, 0), Now: origin},
			want:   Served{Value: 10, ComputedAt: made, Source: SourcePlan, FloorDropped: true},
		},
		"ZeroIsZero": {
			reason: "a plan of 0 is 0, so that scaling to zero works",
			in:     ServeInput{Plan: thePlan, Observed: nan, Now: origin.Add(2 * time.Minute)},
			want:   Served{ComputedAt: made, Source: SourcePlan, FloorDropped: true},
		},
		"Min": {
			reason: "in mode Active nothing below bounds.min is served",
			in:     ServeInput{Plan: thePlan, Observed: 3, ObservedAt: seen, Min: 5, Now: origin.Add(time.Minute)},
			want:   Served{Value: 5, ComputedAt: seen, Source: SourceBound},
		},
		"NoValue": {
			reason: "where the plan has no value, what is observed",
			in:     ServeInput{Plan: thePlan, Observed: 3, ObservedAt: seen, Now: origin.Add(time.Minute)},
			want:   Served{Value: 3, ComputedAt: seen, Source: SourceObserved},
		},
		"NoValueUnknown": {
			reason: "where the plan has no value and nothing is observed, an error, not 0",
			in:     ServeInput{Plan: thePlan, Observed: nan, Min: 5, Now: origin.Add(time.Minute)},
			err:    ErrNoObservation,
		},
		"ClockBehind": {
			reason: "before the plan's start, on a machine whose clock is behind the leader's: its first value",
			in:     ServeInput{Plan: thePlan, Observed: nan, Now: origin.Add(-time.Second)},
			want:   Served{Value: 10, ComputedAt: made, Source: SourcePlan, FloorDropped: true},
		},
		"NoPlan": {
			reason: "a Forecast whose history is not ready serves what is observed",
			in:     ServeInput{Observed: 3, ObservedAt: seen, Now: origin},
			want:   Served{Value: 3, ComputedAt: seen, Source: SourceObserved},
		},
		"NoPlanUnknown": {reason: "nothing is known", in: ServeInput{Observed: nan, Now: origin}, err: ErrNoPlan},
		"Expired": {
			reason: "an expired plan is an error, whatever is observed, so that the HPA keeps its replicas",
			in: ServeInput{
				Plan: thePlan, Observed: 3, ObservedAt: origin.Add(3 * time.Minute),
				Now: origin.Add(3 * time.Minute),
			},
			err: ErrPlanExpired,
		},
		"ExpiredObserved": {
			reason: "policy Observed",
			in: ServeInput{
				Plan: thePlan, Expiry: v1alpha1.ExpiryObserved, Observed: 3,
				ObservedAt: origin.Add(3 * time.Minute), Now: origin.Add(3 * time.Minute),
			},
			want: Served{Value: 3, ComputedAt: origin.Add(3 * time.Minute), Source: SourceObserved},
		},
		"ExpiredObservedUnknown": {
			reason: "policy Observed without an observation",
			in: ServeInput{
				Plan: thePlan, Expiry: v1alpha1.ExpiryObserved, Observed: 3, ObservedAt: seen,
				Now: origin.Add(3 * time.Minute),
			},
			err: ErrNoObservation,
		},
		"ExpiredStatic": {
			reason: "policy Static",
			in: ServeInput{
				Plan: thePlan, Expiry: v1alpha1.ExpiryStatic, Static: 8, Observed: nan,
				Now: origin.Add(3 * time.Minute),
			},
			want: Served{Value: 8, ComputedAt: origin.Add(3 * time.Minute), Source: SourceStatic, FloorDropped: true},
		},
		"ExpiredStaticFloor": {
			reason: "the static value is not below observed demand either",
			in: ServeInput{
				Plan: thePlan, Expiry: v1alpha1.ExpiryStatic, Static: 8, Observed: 9,
				ObservedAt: origin.Add(3 * time.Minute), Now: origin.Add(3 * time.Minute),
			},
			want: Served{Value: 9, ComputedAt: origin.Add(3 * time.Minute), Source: SourceObserved},
		},
		"HeldBack": {
			reason: "a service of a lower priority gets what is left to it, whatever is observed",
			in:     ServeInput{Plan: heldBack, Observed: 12, ObservedAt: seen, Min: 11, Now: origin},
			want:   Served{Value: 7.5, ComputedAt: made, Source: SourceHeldBack},
		},
		"HeldBackAbove": {
			reason: "a bound above the plan changes nothing",
			in:     ServeInput{Plan: heldBack, Observed: 3, ObservedAt: seen, Now: origin.Add(time.Minute)},
			want:   Served{Value: 4, ComputedAt: made, Source: SourcePlan},
		},
		"HeldBackNotServed": {
			reason: "nothing is held back in mode DryRun: the plan is not served",
			in:     ServeInput{Plan: heldBack, Mode: v1alpha1.ForecastDryRun, Observed: 12, ObservedAt: seen, Now: origin},
			want:   Served{Value: 12, ComputedAt: seen, Source: SourceObserved},
		},
		"DryRun": {
			reason: "mode DryRun serves observed demand only, even below bounds.min",
			in: ServeInput{
				Plan: thePlan, Mode: v1alpha1.ForecastDryRun, Min: 5, Observed: 3, ObservedAt: seen,
				Now: origin,
			},
			want: Served{Value: 3, ComputedAt: seen, Source: SourceObserved},
		},
		"Paused": {
			reason: "mode Paused serves nothing except what is observed",
			in:     ServeInput{Plan: thePlan, Mode: v1alpha1.ForecastPaused, Observed: nan, Now: origin},
			err:    ErrNoObservation,
		},
		"BadObservation": {
			reason: "an infinite observation is ignored",
			in:     ServeInput{Plan: thePlan, Observed: math.Inf(1), ObservedAt: seen, Now: origin},
			want:   Served{Value: 10, ComputedAt: made, Source: SourcePlan, FloorDropped: true},
		},
		"NegativeObservation": {
			reason: "a negative observation is ignored",
			in:     ServeInput{Observed: -1, ObservedAt: seen, Now: origin},
			err:    ErrNoPlan,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := Serve(tc.in)
			if !errors.Is(err, tc.err) {
				t.Fatalf("\n%s\ngot error %v, want %v", tc.reason, err, tc.err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("\n%s\n-want, +got:\n%s", tc.reason, diff)
			}
		})
	}
}

// Whatever the input is, the result is an error or a finite number, 0 or above. It is never below a
// fresh observation.
func TestServeIsServable(t *testing.T) {
	anything := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, -1}))
	modes := []v1alpha1.ForecastMode{"", v1alpha1.ForecastActive, v1alpha1.ForecastDryRun, v1alpha1.ForecastPaused}
	policies := []v1alpha1.ExpiryPolicy{"", v1alpha1.ExpiryError, v1alpha1.ExpiryObserved, v1alpha1.ExpiryStatic}
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.IntRange(-300, 600)
		in := ServeInput{
			Mode:     rapid.SampledFrom(modes).Draw(t, "mode"),
			Expiry:   rapid.SampledFrom(policies).Draw(t, "expiry"),
			Static:   anything.Draw(t, "static"),
			Min:      anything.Draw(t, "min"),
			Observed: anything.Draw(t, "observed"),
			Now:      origin.Add(time.Duration(seconds.Draw(t, "now")) * time.Second),
		}
		in.ObservedAt = origin.Add(time.Duration(seconds.Draw(t, "observed at")) * time.Second)
		if rapid.Bool().Draw(t, "plan") {
			in.Plan = &Plan{
				ComputedAt: origin, Start: origin,
				Segments: []Segment{{Step: time.Minute, Values: rapid.SliceOfN(anything, 1, 5).Draw(t, "values")}},
			}
		}
		got, err := Serve(in)
		if err != nil {
			if !errors.Is(err, ErrNoPlan) && !errors.Is(err, ErrPlanExpired) && !errors.Is(err, ErrNoObservation) {
				t.Fatalf("an error without a type: %v", err)
			}
			return
		}
		if !usable(got.Value) || got.ComputedAt.IsZero() || got.Source == "" {
			t.Fatalf("served %+v", got)
		}
		if _, fresh := in.observation(); fresh && got.Value < in.Observed {
			t.Fatalf("served %v below the observed %v", got.Value, in.Observed)
		}
	})
}
