package planner

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/planner/spend"
	"headstart.dev/headstart/scheduler"
)

func TestAtMost(t *testing.T) {
	demand := &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "up"}}
	level := func(atMost string) v1alpha1.ProvisionFor {
		return v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.99")), AtMost: new(v1alpha1.Decimal(atMost))}
	}
	cost := level("2")
	cost.ServiceLevel, cost.ShortageCost = nil, new(v1alpha1.Decimal("20"))
	for name, tc := range map[string]struct {
		reason string
		spec   v1alpha1.ForecastSpec
		want   float64
		err    string
	}{
		"Given": {"a multiple", v1alpha1.ForecastSpec{Demand: demand, ProvisionFor: level("2.5")}, 2.5, ""},
		"Reactive": {
			"no more than a reactive policy", v1alpha1.ForecastSpec{Demand: demand, ProvisionFor: level("1")}, 1, "",
		},
		"Below": {
			"less than a reactive policy cannot be held",
			v1alpha1.ForecastSpec{Demand: demand, ProvisionFor: level("0.9")},
			0, "must be from 1 to 1000",
		},
		"NoNumber": {
			"it is a number", v1alpha1.ForecastSpec{Demand: demand, ProvisionFor: level("NaN")}, 0, "must be from 1 to 1000",
		},
		"ShortageCost": {
			"a cost weighs it already", v1alpha1.ForecastSpec{Demand: demand, ProvisionFor: cost}, 0, "lower the shortage cost",
		},
		"NoDemand": {
			"nothing to compare with", v1alpha1.ForecastSpec{ProvisionFor: level("2")}, 2, "needs spec.demand",
		},
		"Overflow": {
			"the demand of another cluster is not observed here",
			v1alpha1.ForecastSpec{
				Demand: demand, ProvisionFor: level("2"),
				OverflowOf: &v1alpha1.OverflowReference{Cluster: "a", Forecast: "b/c"},
			},
			2, "leave it out beside spec.overflowOf",
		},
	} {
		t.Run(name, func(t *testing.T) {
			set, err := ParseSpec(&tc.spec)
			if tc.err == "" && err != nil || tc.err != "" && (err == nil || !strings.Contains(err.Error(), tc.err)) {
				t.Errorf("%s: %v, want %q", tc.reason, err, tc.err)
			}
			if set.AtMost != tc.want {
				t.Errorf("%s: %v, want %v", tc.reason, set.AtMost, tc.want)
			}
		})
	}
}

// dearService plans a made-up service hour by hour: forecasts that ask for several times its
// demand.
type dearService struct {
	rng    *rand.Rand
	set    Settings
	peaks  Peaks
	values []float64
}

func newDearService(seed uint64) *dearService {
	return &dearService{
		rng: rand.New(rand.NewPCG(seed, 1)),
		set: Settings{
			HasDemand: true, Step: time.Hour, Horizon: 6 * time.Hour, Max: math.Inf(1), Mode: v1alpha1.ForecastActive,
			Contract: forecaster.Contract{ServiceLevel: 0.99}, SpecCapacity: 1,
			Scaling: Scaling{MinReplicas: 1, Ramp: Ramp{None: true}},
		},
	}
}

func (d *dearService) grow() {
	k := len(d.values)
	d.values = append(d.values, 50*(1+0.4*math.Sin(2*math.Pi*float64(k)/24))*math.Exp(0.1*d.rng.NormFloat64()))
}

// step plans the next hour.
func (d *dearService) step(state State) (StepInput, StepOutput) {
	now := origin.Add(time.Duration(len(d.values)) * time.Hour)
	last := d.values[len(d.values)-1]
	outlook := &forecaster.Outlook{Start: now, Step: time.Hour, Lead: 1, Skilled: true}
	for range 8 {
		outlook.Median = append(outlook.Median, last)
		outlook.Half = append(outlook.Half, last*(0.9+0.3*d.rng.Float64()))
		outlook.Cover = append(outlook.Cover, last*(3+2*d.rng.Float64()))
	}
	in := StepInput{
		Now: now, Settings: d.set, Lead: time.Hour, Capacity: 1, Peaks: d.peaks,
		Series: &forecaster.Series{Start: origin, Step: time.Hour, Values: d.values},
	}
	return in, Decide(in, outlook, state)
}

// Over weeks, the plans of a dear service are held to the bound, and never below observed demand.
func TestPlansAreHeldToTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDearService(rapid.Uint64().Draw(t, "seed"))
		d.set.AtMost = rapid.SampledFrom([]float64{1, 1.2, 2, 3}).Draw(t, "at most")
		state := State{Spend: &spend.Ledger{}}
		var asked, reactive []float64
		for k := range 24 * 7 * 4 {
			d.grow()
			_, out := d.step(state)
			served, err := out.Serve(out.Plan)
			if err != nil {
				t.Fatal(err)
			}
			last := d.values[k]
			if served.Value < last {
				t.Fatalf("hour %d: %v is served, below the observed %v", k, served.Value, last)
			}
			asked = append(asked, float64(plan.Replicas(served.Value, 1)))
			reactive = append(reactive, math.Ceil(last))
			if k < 24*7 {
				continue
			}
			ratio := sum(asked[k-24*7+1:]) / sum(reactive[k-24*7+1:])
			if ratio > d.set.AtMost*(1+spend.Tolerance)+0.03 {
				t.Fatalf("hour %d: a week asks for %.3f, at most %v is allowed", k, ratio, d.set.AtMost)
			}
			if k > 24*14 && ratio < 0.9*d.set.AtMost {
				t.Fatalf("hour %d: a week asks for %.3f only, of %v", k, ratio, d.set.AtMost)
			}
			if math.Abs(out.Spend.Ratio-ratio) > 0.05*ratio {
				t.Fatalf("hour %d: the figures say %.3f, and it is %.3f", k, out.Spend.Ratio, ratio)
			}
		}
	})
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// What people ask for is provided for whatever it costs, and the figures say that it exceeds the
// bound. bounds.min is a part of what a reactive policy takes.
func TestPeaksExceedTheBound(t *testing.T) {
	peak, err := scheduler.Compile("always", v1alpha1.PeakScheduleSpec{
		TimeZone: "UTC",
		Windows: []v1alpha1.PeakWindow{{
			Name: "day", Schedule: "0 0 * * *", Duration: "24h", Demand: v1alpha1.PeakDemand{Replicas: new(int32(200))},
		}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		reason   string
		min      float64
		peaks    Peaks
		exceeded bool
	}{
		"Peak": {"a peak is no forecast", 0, Peaks{Schedules: []*scheduler.Schedule{peak}}, true},
		"Min":  {"a reactive policy would be held to bounds.min too", 200, Peaks{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDearService(1)
			d.set.AtMost, d.set.Min, d.peaks = 1.5, tc.min, tc.peaks
			state := State{Spend: &spend.Ledger{}}
			for k := range 24 * 10 {
				d.grow()
				in, out := d.step(state)
				if v, _ := out.Plan.At(in.Now); v < 199.5 {
					t.Fatalf("hour %d: %v is planned for, want 200", k, v)
				}
				if got := out.Spend.Exceeded(); k > 24*7 && got != tc.exceeded {
					t.Fatalf("%s: the bound is exceeded: %v, want %v (%+v)", tc.reason, got, tc.exceeded, out.Spend)
				}
			}
		})
	}
}

// Without a bound nothing changes, to the bit, whatever is passed on between steps. With a bound
// that is never reached, nothing changes either.
func TestWithoutABoundNothingChanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		plain, unused, high := newDearService(seed), newDearService(seed), newDearService(seed)
		high.set.AtMost = 1000
		states := []State{{}, {Spend: &spend.Ledger{}}, {Spend: &spend.Ledger{}}}
		for k := range 100 {
			var plans []plan.Plan
			for i, d := range []*dearService{plain, unused, high} {
				d.grow()
				_, out := d.step(states[i])
				plans = append(plans, *out.Plan)
			}
			for _, other := range plans[1:] {
				for i, v := range plans[0].Segments[0].Values {
					if math.Float64bits(v) != math.Float64bits(other.Segments[0].Values[i]) {
						t.Fatalf("step %d: %v becomes %v", k, v, other.Segments[0].Values[i])
					}
				}
			}
		}
	})
}
