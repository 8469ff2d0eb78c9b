package planner

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/overflow"
	"headstart.dev/headstart/planner/plan"
)

// The compressed day of the end-to-end test of overflow, in seconds: demand is low, but for a flat
// top around noon of one and a half times what cluster A can hold.
const (
	daySeconds  = 100
	dayStep     = 2
	dayCapacity = 22.0
	dayFits     = 8
	dayWarmUp   = 12.5 // of a pod in B, seconds
)

// dayDemand is the demand of each step of 14 days.
func dayDemand() []float64 {
	r := rand.New(rand.NewPCG(17, 1))
	const low, high = 40.0, 1.5 * dayFits * dayCapacity
	out := make([]float64, 14*daySeconds/dayStep)
	for i := range out {
		at := float64(i * dayStep % daySeconds)
		slope := max(0, min((at-34)/10, (86-at)/10, 1)) // up from 34 to 44, down from 76 to 86
		out[i] = (low + (high-low)*slope) * (1 + 0.01*r.NormFloat64())
	}
	return out
}

// dayHPA is an HPA of cluster B, with its pods.
type dayHPA struct {
	hold          float64 // the scale-down window, seconds
	at, wanted    []float64
	pods          []float64 // when each was made
	paid, dropped float64
}

// sync lets the HPA read a value.
func (h *dayHPA) sync(now, value float64) {
	wanted := max(1, math.Ceil(value/dayCapacity-1e-9))
	h.at, h.wanted = append(h.at, now), append(h.wanted, wanted)
	for i, at := range h.at {
		if now-at < h.hold {
			wanted = max(wanted, h.wanted[i])
		}
	}
	for len(h.pods) < int(wanted) {
		h.pods = append(h.pods, now)
	}
	h.pods = h.pods[:int(wanted)]
}

// serve lets the pods serve for a time.
func (h *dayHPA) serve(now, demand, seconds float64) {
	ready := 0.0
	for _, made := range h.pods {
		if now-made >= dayWarmUp {
			ready++
		}
	}
	h.paid += float64(len(h.pods)) * seconds
	h.dropped += max(0, demand-ready*dayCapacity) * seconds
}

// dayPlanner plans in both clusters.
type dayPlanner struct {
	a, b     StepInput
	state    State
	last     float64 // what overflowed by the last plan
	measured func(end float64) float64
	leadTold time.Duration
	start    time.Time
	series   []float64
}

func newDayPlanner(t *testing.T, lead time.Duration, hold float64, measured func(float64) float64) *dayPlanner {
	t.Helper()
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = "shop", "web"
	fc.Spec.Demand = &v1alpha1.DemandSource{Resolution: "2s", History: "1300s", Settle: "1s"}
	fc.Spec.Demand.Prometheus.Query, fc.Spec.Horizon = "q", "200s"
	fc.Spec.TargetRef = v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "web"}
	fc.Spec.ProvisionFor = v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.9"))}
	set, err := Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	d := &dayPlanner{measured: measured, start: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}
	ramp := Ramp{Policies: []Policy{{Kind: PolicyPercent, Value: 900, Period: 15 * time.Second}}, Sync: 2 * time.Second}
	set.Scaling.MaxReplicas, set.Scaling.Ramp = dayFits, ramp
	d.a = StepInput{Settings: set, Lead: 10300 * time.Millisecond, Capacity: dayCapacity}
	d.b = StepInput{Lead: lead, Capacity: dayCapacity, Settings: Settings{
		Step: dayStep * time.Second, Horizon: 200 * time.Second, Max: math.Inf(1), OverflowOf: &OverflowOf{},
		Scaling: Scaling{MaxReplicas: 12, HoldsFor: time.Duration(hold) * time.Second, Ramp: ramp},
	}}
	d.leadTold = time.Duration(LeadSteps(d.a.Lead, d.a.Settings.Step)) * d.a.Settings.Step
	return d
}

// served returns what is served in B at an instant.
func (d *dayPlanner) served(t *testing.T, now float64) float64 {
	t.Helper()
	for end := dayStep * (len(d.series) + 1); float64(end) <= now-1; end += dayStep {
		d.series = append(d.series, d.measured(float64(end)))
	}
	d.a.Now = d.start.Add(time.Duration(now * float64(time.Second)))
	d.a.Series = &forecaster.Series{Start: d.start, Step: d.a.Settings.Step, Values: d.series}
	d.a.Limits = overflow.Limits{Last: d.last}
	var out StepOutput
	out, d.state = Step(d.a, d.state)
	if out.Plan == nil {
		t.Fatalf("no plan in A: %v %v", out.Outcome, out.Err)
	}
	timeline := plan.Plan{Start: out.Plan.Start, Segments: []plan.Segment{
		{Step: d.a.Settings.Step, Values: out.Overflow.Values},
	}}
	d.last, _ = timeline.At(d.a.Now)
	d.b.Now, d.b.Beyond = d.a.Now, &Beyond{Timeline: timeline, Lead: d.leadTold}
	planned, _ := Step(d.b, State{})
	if planned.Plan == nil {
		t.Fatalf("no plan in B: %v %v", planned.Outcome, planned.Err)
	}
	v, _ := planned.Plan.At(d.b.Now)
	return v
}

// A day in which A is full at noon: B by plan drops at most a fifth of what a reactive B drops, at
// no more than 1.3 times its replica-hours. B's lead is the warm-up of its pods, and what the loops
// add; or a second and a half more, as it is before it is learned well.
func TestOverflowDay(t *testing.T) {
	demand := dayDemand()
	at := func(now float64) float64 { return demand[int(now)/dayStep] }
	// measured is the rate over two steps, as the query of the test asks for it.
	measured := func(end float64) float64 {
		i := int(end) / dayStep
		return (demand[max(0, i-2)] + demand[i-1]) / 2
	}
	const hold, tick, fits = 6, 0.5, dayFits * dayCapacity
	for _, lead := range []time.Duration{15500 * time.Millisecond, 17 * time.Second} {
		d := newDayPlanner(t, lead, hold, measured)
		byPlan, reactive := &dayHPA{hold: hold}, &dayHPA{hold: hold}
		served := 0.0
		for now := 12.0 * daySeconds; now < 13*daySeconds; now += tick {
			if now == math.Trunc(now) {
				served = d.served(t, now)
			}
			if math.Mod(now, 2) == tick {
				byPlan.sync(now, served)
				reactive.sync(now, max(0, measured(math.Floor(now-1))-fits))
			}
			byPlan.serve(now, max(0, at(now)-fits), tick)
			reactive.serve(now, max(0, at(now)-fits), tick)
		}
		t.Logf("lead %s: dropped %.0f of the %.0f that a reactive B drops, at %.3f times its replica-hours",
			lead, byPlan.dropped, reactive.dropped, byPlan.paid/reactive.paid)
		if byPlan.dropped > reactive.dropped/5 || byPlan.paid > 1.3*reactive.paid || reactive.dropped < 500 {
			t.Errorf("lead %s: want at most a fifth, and 1.3 times", lead)
		}
	}
}
