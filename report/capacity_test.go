package report

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/report/learned"
)

const (
	capacityStep = 10 * time.Minute
	capacityEnd  = 12 * 144 // steps
	capacityFrom = 9 * 144
)

// busy returns the replay of a service whose replicas keep a latency of 0.5 up to a load of truth. The
// team counts on configured, and has had replicas for it.
func busy(truth func(step int) float64, configured float64) Options {
	r := rand.New(rand.NewPCG(7, 3))
	o := DefaultOptions()
	start := time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)
	o.Series = history.Series{Start: start, Step: capacityStep}
	latency := forecaster.Series{Start: start, Step: capacityStep}
	replicas := latency
	current := 1.0
	for k := range capacityEnd {
		demand := (60 - 40*math.Cos(2*math.Pi*float64(k)/144)) * (1 + 0.03*r.NormFloat64())
		if k%3 == 0 { // so that replicas stay for a while
			current = max(9, math.Ceil(demand/configured)) // so that loads are low at night
		}
		share := demand / current / truth(k)
		o.Series.Values = append(o.Series.Values, demand)
		replicas.Values = append(replicas.Values, current)
		latency.Values = append(latency.Values, 0.1+0.4*math.Pow(share, 6)*(1+0.02*r.NormFloat64()))
	}
	o.From, o.Lead, o.Capacity, o.Price, o.Currency = capacityFrom, capacityStep, configured, 2.5, "EUR"
	o.Contract, o.Headroom = forecaster.Contract{ShortageCost: 20}, false
	o.Policies = []string{PolicyHeadstart, PolicyHPA, PolicyOracle}
	o.Learn = &learned.Evidence{
		Objective: planner.LearnSettings{AtMost: 0.5, Attain: 0.99, Max: math.Inf(1)}, Latency: latency, Replicas: replicas,
	}
	return o
}

func fixedCapacity(v float64) func(int) float64 { return func(int) float64 { return v } }

func ran(t *testing.T, o Options) *Report {
	t.Helper()
	r, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A configured capacity that is too high misses the objective. The report learns the right one, plans
// with it, and says what the wrong one costs.
func TestLearnedCapacity(t *testing.T) {
	const truth, configured = 5.0, 6.5
	r := ran(t, busy(fixedCapacity(truth), configured))
	c := r.Capacity
	if c == nil || c.Source != capacity.SourceLearned || c.Used < 0.85*truth || c.Used > 1.05*truth {
		t.Fatalf("learned %+v, want about %v", c, truth)
	}
	if c.Configured != configured || r.Input.Capacity != configured {
		t.Errorf("configured %v, input %v", c.Configured, r.Input.Capacity)
	}
	at, own := c.AtConfigured, c.AtLearned
	if at == nil || own == nil || at.Met == nil || own.Met == nil {
		t.Fatalf("without costs: %+v", c)
	}
	if *at.Met > 0.9 || *own.Met < 0.97 || at.Unserved <= own.Unserved || at.ReplicaHours >= own.ReplicaHours {
		t.Errorf("at %v: %+v (met %.3f), at %v: %+v (met %.3f)", configured, *at, *at.Met, c.Used, *own, *own.Met)
	}
	if math.Abs(own.Money-2.5*own.ReplicaHours) > 1e-6*own.Money {
		t.Errorf("%v replica-hours are %v EUR", own.ReplicaHours, own.Money)
	}
	head, _ := r.Result(PolicyHeadstart)
	hpa, _ := r.Result(PolicyHPA)
	if head.Unserved >= hpa.Unserved {
		t.Errorf("Headstart leaves %v unserved, an HPA by the wrong figure %v", head.Unserved, hpa.Unserved)
	}
	if oracle, _ := r.Result(PolicyOracle); oracle.Unserved != 0 {
		t.Errorf("the oracle leaves %v unserved", oracle.Unserved)
	}
}

// A replay with a learned capacity knows nothing of the future: cut anywhere, it decides the same
// before the cut.
func TestLearnedCapacityKnowsNothingOfTheFuture(t *testing.T) {
	halved := func(k int) float64 {
		if k < capacityFrom+72 {
			return 8
		}
		return 4
	}
	o := busy(halved, 6.5)
	o.Policies = []string{PolicyHeadstart}
	desired := func(end int) []int {
		part := o
		part.Series.Values = slices.Clone(o.Series.Values[:end])
		out, ok := ran(t, part).DesiredReplicas()
		if !ok {
			t.Fatal("no decisions")
		}
		return out
	}
	whole := desired(capacityEnd)
	for _, cut := range []int{capacityFrom + 1, capacityFrom + 71, capacityFrom + 97, capacityEnd - 1} {
		if part := desired(cut); !slices.Equal(part, whole[:len(part)]) {
			t.Errorf("cut at %d, it decides otherwise before", cut)
		}
	}
}

// Without a latency, the configured capacity counts, and all figures are as without learning.
func TestNothingLearned(t *testing.T) {
	o := busy(fixedCapacity(5), 6.5)
	o.Policies = []string{PolicyHeadstart}
	o.Learn.Latency.Values = nil
	learning := ran(t, o)
	if c := learning.Capacity; c.Used != 6.5 || c.Missing != capacity.MissingLatency || c.AtLearned.Met != nil {
		t.Errorf("%+v", c)
	}
	o.Learn = nil
	plain := ran(t, o)
	a, _ := learning.Result(PolicyHeadstart)
	b, _ := plain.Result(PolicyHeadstart)
	if plain.Capacity != nil || math.Abs(a.Cost-b.Cost) > 1e-9*b.Cost || a.ReplicaHours != b.ReplicaHours {
		t.Errorf("%+v and %+v", *a.Figures, *b.Figures)
	}
}
