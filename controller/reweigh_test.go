package controller

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/evidence"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/terms"
)

// trueWeights are how much each term of the simulated service counts. Both are configured as 1.
var trueWeights = []float64{0.2, 1.8}

// termAt is the demand of a term. Its part of the work changes every twelve hours.
func termAt(k int) func(time.Time) (float64, error) {
	return func(at time.Time) (float64, error) {
		r := rand.New(rand.NewPCG(uint64(at.Unix()/43200), uint64(k)))
		factor := math.Exp(0.6 * (2*r.Float64() - 1))
		noise := rand.New(rand.NewPCG(uint64(at.Unix()), uint64(k+5)))
		return daily(0)(at) / 2 * factor * (1 + 0.02*noise.NormFloat64()), nil
	}
}

// workAt is the work of the service by weights.
func workAt(weights []float64, at time.Time) float64 {
	sum := 0.0
	for k, w := range weights {
		v, _ := termAt(k)(at)
		sum += w * v
	}
	return sum
}

// weightsIn returns the weights in a query for demand.
func weightsIn(query string) []float64 {
	var out []float64
	for part := range strings.SplitSeq(query, " + ") {
		w := math.NaN()
		_, _ = fmt.Sscanf(part, "%g * sum(", &w)
		out = append(out, w)
	}
	return out
}

// weighing is what a service with two kinds of work measures.
func weighing() measurements {
	replicas := func(at time.Time) (float64, error) {
		return math.Ceil(workAt(trueWeights, history.FloorTo(at, time.Hour)) / (0.9 * trueCapacity)), nil
	}
	return measurements{
		terms.Alone(v1alpha1.DemandTerm{Query: "a"}): termAt(0), terms.Alone(v1alpha1.DemandTerm{Query: "b"}): termAt(1),
		readyQuery: replicas,
		"latency": func(at time.Time) (float64, error) {
			n, _ := replicas(at)
			load := workAt(trueWeights, at) / n / trueCapacity
			r := rand.New(rand.NewPCG(uint64(at.Unix()), 2))
			return 0.5 / 7 / max(0.02, 1+1.0/7-load) * (1 + 0.02*r.NormFloat64()), nil
		},
	}
}

// weighingForecast learns the weights of two terms. Until then both count the same.
func weighingForecast() *v1alpha1.Forecast {
	return learningForecast(func(fc *v1alpha1.Forecast) {
		fc.Spec.Demand.Prometheus = v1alpha1.PrometheusQuery{}
		fc.Spec.Demand.Terms = []v1alpha1.DemandTerm{{Query: "a", Weight: "1"}, {Query: "b", Weight: "1"}}
		fc.Spec.Demand.Weights = v1alpha1.WeightsLearned
	})
}

// weighingFixture is a fixture whose histories follow from the weights in their queries. opened has
// these. Those for which refuse says so cannot be read.
func weighingFixture(t *testing.T, refuse func(weights []float64) bool) (f *fixture, opened *[][]float64) {
	t.Helper()
	f = learningFixture(t, weighing(), weighingForecast())
	opened = &[][]float64{}
	f.open = func(_ string, set planner.Settings) (reads.SeriesReader, error) {
		weights := weightsIn(set.Query)
		*opened = append(*opened, weights)
		if refuse != nil && refuse(weights) {
			return nil, &history.Error{Kind: history.ErrUnavailable, Message: "not now"}
		}
		return &fakeHistory{
			clock: f.clock, set: set, demand: func(at time.Time) float64 { return workAt(weights, at) },
		}, nil
	}
	return f, opened
}

// whole checks that all figures of a status are made with the weights that it says are in use.
func whole(t *testing.T, fc *v1alpha1.Forecast) {
	t.Helper()
	set, err := planner.Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	weights, s := weightsIn(set.Query), fc.Status
	if s.Observed != nil {
		got, want := s.Observed.Value.AsApproximateFloat64(), workAt(weights, s.Observed.Time.Add(-set.Step))
		if math.Abs(got/want-1) > 1e-3 {
			t.Errorf("status observes %v, and %v is the demand by the weights %v beside it", got, want, weights)
		}
	}
	c := s.CapacityPerReplica
	if c != nil && c.Source == plan.CapacityFromLearning && c.DemandHash != set.Learn.DemandHash {
		t.Errorf("the capacity %s is of another demand than the weights %v beside it", &c.Value, weights)
	}
}

// Better weights come into use with their capacity and their plan, at one write of the status. While
// their past cannot be read, nothing changes. They survive a restart, and end with their terms.
func TestWeightsChangeAtOnce(t *testing.T) {
	blocked := true
	f, opened := weighingFixture(t, func(w []float64) bool { return blocked && w[0] != 1 })
	changes, used := 0, []v1alpha1.Decimal(nil)
	f.client = interceptor.NewClient(f.client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			fc := obj.(*v1alpha1.Forecast)
			whole(t, fc)
			if w := fc.Status.DemandWeights; w != nil && fmt.Sprint(w.Values) != fmt.Sprint(used) {
				changes, used = changes+1, w.Values
				if fc.Status.Plan == nil || !fc.Status.Plan.ComputedAt.Time.Equal(f.clock.Now()) {
					t.Errorf("weights change without a new plan: %+v", fc.Status.Plan)
				}
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
	f.learnFor(t, time.Hour)
	before := f.get(t, "fc")
	if before.Status.DemandWeights != nil || before.Status.Plan == nil {
		t.Fatalf("while the past cannot be read: %+v", before.Status.DemandWeights)
	}
	c := f.condition(t, "fc", v1alpha1.ConditionCapacityKnown)
	if f.states[named("fc")].candidate == nil {
		t.Fatalf("no other weights are better: %s", c.Message)
	}
	blocked = false
	f.learnFor(t, time.Hour)
	fc := f.get(t, "fc")
	w := fc.Status.DemandWeights
	if w == nil || changes != 1 {
		t.Fatalf("%d changes, and the weights are %+v", changes, w)
	}
	set, err := ServedSettings(fc)
	if err != nil {
		t.Fatal(err)
	}
	got := weightsIn(set.Demand.Expr)
	if ratio := got[1] / got[0]; ratio < 4.5 || ratio > 18 {
		t.Errorf("the doors ask with the weights %v, want about the ratio 9", got)
	}
	if s := fc.Status.CapacityPerReplica; set.Learned.Use(s, set.Capacity) != s.Value.AsApproximateFloat64() ||
		s.Source != plan.CapacityFromLearning {
		t.Errorf("the doors divide by another capacity than %+v", s)
	}
	f.learnFor(t, 30*time.Hour)
	if changes != 1 {
		t.Errorf("the weights have changed %d times", changes)
	}
	if c := f.condition(t, "fc", v1alpha1.ConditionCapacityKnown); !strings.Contains(c.Message, "learned weights") {
		t.Errorf("the condition says %q", c.Message)
	}
	*opened = nil
	f.changeLeader()
	f.learnFor(t, 10*time.Minute)
	for _, weights := range *opened {
		if fmt.Sprint(weights) != fmt.Sprint(got) {
			t.Errorf("after a restart, history is read with the weights %v, want %v", weights, got)
		}
	}
	fc = f.get(t, "fc")
	fc.Spec.Demand.Weights, fc.Generation = v1alpha1.WeightsFixed, 2
	if err := f.client.Update(t.Context(), fc); err != nil {
		t.Fatal(err)
	}
	f.learnFor(t, 10*time.Minute)
	if w := f.get(t, "fc").Status.DemandWeights; w != nil {
		t.Errorf("fixed weights are learned: %+v", w)
	}
}

// An administrator's policy may refuse a status with learned weights. The plan is renewed all the same,
// and the condition says why the weights are not used.
func TestWeightsThatCannotBeWritten(t *testing.T) {
	f, _ := weighingFixture(t, nil)
	refused := 0
	f.client = interceptor.NewClient(f.client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(
			ctx context.Context, c client.Client, sub string, obj client.Object, patch client.Patch,
			opts ...client.SubResourcePatchOption,
		) error {
			if obj.(*v1alpha1.Forecast).Status.DemandWeights != nil {
				refused++
				return apierrors.NewForbidden(schema.GroupResource{Resource: "forecasts"}, "fc", errors.New("a policy"))
			}
			return c.SubResource(sub).Patch(ctx, obj, patch, opts...)
		},
	})
	f.learnFor(t, 2*time.Hour)
	if refused == 0 || refused > 30 {
		t.Fatalf("the weights were written %d times in two hours, want one try every five minutes", refused)
	}
	fc := f.get(t, "fc")
	if fc.Status.DemandWeights != nil || fc.Status.Plan == nil {
		t.Fatalf("the status has weights %v and plan %v", fc.Status.DemandWeights, fc.Status.Plan)
	}
	if age := f.clock.Now().Sub(fc.Status.Plan.ComputedAt.Time); age > 20*time.Minute {
		t.Errorf("the plan is %s old", age)
	}
	if c := f.condition(t, "fc", v1alpha1.ConditionCapacityKnown); !strings.Contains(c.Message, "a policy") {
		t.Errorf("the condition says %q", c.Message)
	}
}

// A status that somebody else has written cannot do harm: its weights do not count, or are bounded.
func TestWeightsInStatusAreNotTrusted(t *testing.T) {
	for name, values := range map[string][]v1alpha1.Decimal{
		"absurd": {"1000000000", "1"}, "no numbers": {"a", "b"}, "too few": {"1"}, "too many": {"1", "1", "1"},
	} {
		fc := weighingForecast()
		fc.Status.DemandWeights = &v1alpha1.DemandWeights{
			Values: values, Since: metav1.NewTime(epoch.AddDate(1000, 0, 0)), TermsHash: "x",
		}
		f := learningFixture(t, weighing(), fc)
		var opened []string
		f.open = func(_ string, set planner.Settings) (reads.SeriesReader, error) {
			opened = append(opened, set.Query)
			return nil, &history.Error{Kind: history.ErrUnavailable, Message: "not now"}
		}
		f.reconcile(t, "fc")
		for _, q := range opened {
			if fmt.Sprint(weightsIn(q)) != "[1 1]" {
				t.Errorf("%s: demand is read with %q", name, q)
			}
		}
		if w := f.get(t, "fc").Status.DemandWeights; w != nil {
			t.Errorf("%s: status keeps %+v", name, w)
		}
	}
}

// A term that cannot be read does not keep the capacity from being learned.
func TestATermThatCannotBeRead(t *testing.T) {
	f, _ := weighingFixture(t, nil)
	m := weighing()
	m[terms.Alone(v1alpha1.DemandTerm{Query: "b"})] = func(time.Time) (float64, error) {
		return 0, &history.Error{Kind: history.ErrBadQuery, Message: "no such function"}
	}
	f.openEvidence = func(string, string) (evidence.Source, error) { return m, nil }
	f.learnFor(t, time.Hour)
	fc := f.get(t, "fc")
	if s := fc.Status.Capacity; s == nil || s.Steps < 1000 || fc.Status.DemandWeights != nil {
		t.Errorf("%+v and %+v", s, fc.Status.DemandWeights)
	}
	c := f.condition(t, "fc", v1alpha1.ConditionCapacityKnown)
	if !strings.Contains(c.Message, "spec.demand.terms[1].query: no such function") {
		t.Errorf("the condition says %q", c.Message)
	}
}
