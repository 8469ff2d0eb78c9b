package planner

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// buildInput is everything that a plan is made of.
type buildInput struct {
	// Now is when the plan is made; it becomes the plan's ComputedAt.
	Now time.Time
	// Start of the plan: the origin of the forecast, the beginning of the first unknown step.
	Start time.Time
	// Step of the plan, the resolution of the demand series.
	Step time.Duration
	// Horizon is how many steps the plan has.
	Horizon int
	// Lead is S: how many steps after the first one a value must cover.
	Lead int

	// Outlook is the forecast; nil, or one without skill, when there is none to serve.
	Outlook *forecaster.Outlook
	// Peaks say what is declared for each step from Start on: at least Horizon + Lead + 1 of them, or none.
	Peaks []scheduler.Demand
	// PeaksAlone says that the Forecast has no demand series: its peaks are all there is, and outside of them 0 is meant.
	PeaksAlone bool
	// PeakBase is, without a skilled forecast, what factors and additions build on while some are on at Start: the demand before
	// they began, see [scheduler.Undisturbed]; 0 is a demand like any other. NaN when none is on, and then Observed stands in.
	PeakBase float64
	// Observed is the demand that was measured last; NaN when it is unknown.
	Observed float64

	// Capacity is the demand that one replica serves; 0 when it is unknown, and then ramp and MaxReplicas are not looked at.
	Capacity float64
	// Ramp is how fast the HPA adds replicas.
	Ramp Ramp
	// Min and Max bound forecast and peaks; a Max of 0 or +Inf is none.
	Min, Max float64
	// MaxReplicas of the HPA; 0 when it is not known.
	MaxReplicas int
}

// Notes are what a user should know about a plan.
type Notes struct {
	// Shortage is where the plan first needs more than MaxReplicas; nil when it never does.
	Shortage *Shortage
	// Warnings are sentences for a condition.
	Warnings []string
}

// Shortage says when and by how much a plan needs more replicas than the HPA may have.
type Shortage struct {
	// From is when the plan first needs more, and Replicas how many it needs then.
	From     time.Time
	Replicas int
	// PeakAt is when it needs most, and Peak how many.
	PeakAt time.Time
	Peak   int
	// Max is the HPA's maxReplicas.
	Max int
}

func (s Shortage) String() string {
	return fmt.Sprintf("the plan needs %d replicas from %s and %d at %s, but maxReplicas is %d: raise it",
		s.Replicas, s.From.UTC().Format(time.RFC3339), s.Peak, s.PeakAt.UTC().Format(time.RFC3339), s.Max)
}

func (in buildInput) validate() error {
	switch {
	case in.Step <= 0:
		return errors.New("plan: step must be above 0")
	case in.Horizon <= 0:
		return errors.New("plan: horizon must be at least one step")
	case in.Lead < 0:
		return errors.New("plan: lead must not be below 0")
	case len(in.Peaks) > 0 && len(in.Peaks) < in.Horizon+in.Lead+1:
		return fmt.Errorf("plan: peaks for %d steps, but horizon and lead need %d", len(in.Peaks), in.Horizon+in.Lead+1)
	case in.Capacity < 0 || math.IsNaN(in.Capacity) || math.IsInf(in.Capacity, 0):
		return errors.New("plan: capacity must be a number from 0")
	}
	return in.Ramp.validate()
}

// build makes the plan: at each step the demand to provision for so that this step and the Lead steps after it are covered.
//
// Peaks combine with the forecast in one order: × multiply, + add, then the largest atLeast or replicas, then the smallest
// atMost, then Min and Max. That happens step by step within each lead window; the window's estimate is carried to its steps in
// proportion to their medians. Observed demand is no part of it: [Serve] holds the plan up to what is observed.
// At last the plan is raised where the HPA's own ramp would come too late otherwise.
func build(in buildInput) (plan.Plan, Notes, error) {
	if err := in.validate(); err != nil {
		return plan.Plan{}, Notes{}, err
	}
	var notes Notes
	values, expected := in.values(&notes)
	for _, line := range [][]float64{values, expected} {
		for i, v := range line {
			if !math.IsNaN(v) {
				line[i] = in.bound(v)
			}
		}
	}
	if in.Capacity > 0 {
		in.raise(values, &notes)
	}
	return plan.Plan{ComputedAt: in.Now, Start: in.Start, Segments: []plan.Segment{{Step: in.Step, Values: values, Expected: expected}}}, notes, nil
}

// values of the plan before bounds and ramp, and what is expected of the same steps, nil without a forecast.
func (in buildInput) values(notes *Notes) (values, expected []float64) {
	if in.Capacity <= 0 && slices.ContainsFunc(in.Peaks, func(d scheduler.Demand) bool { return d.Replicas > 0 }) {
		notes.Warnings = append(notes.Warnings,
			"a peak in replicas cannot be planned without the capacity of one: set spec.capacityPerReplica, or averageValue in the HPA")
	}
	if in.PeaksAlone {
		return in.declared(func(scheduler.Demand) bool { return true }, 0), nil
	}
	if o := in.Outlook; o != nil && o.Skilled {
		if values, expected := in.forecast(o, notes); len(values) > 0 {
			return values, expected
		}
	}
	return in.declared(lifts, math.NaN()), nil
}

// forecast joins a forecast and the peaks.
func (in buildInput) forecast(o *forecaster.Outlook, notes *Notes) (values, expected []float64) {
	offset := 0
	if o.Step > 0 {
		offset = int(in.Start.Sub(o.Start) / o.Step)
	}
	n := min(in.Horizon, len(o.Cover)-offset)
	if o.Step != in.Step || in.Start.Before(o.Start) || n <= 0 {
		notes.Warnings = append(notes.Warnings, "the forecast does not reach the plan: observed demand and peaks are served until there is a new one")
		return nil, nil
	}
	if n < in.Horizon {
		notes.Warnings = append(notes.Warnings, fmt.Sprintf("the forecast ends after %d of %d steps, and so does the plan", n, in.Horizon))
	}
	values, expected = make([]float64, n), make([]float64, n)
	quiet := in.quiet()
	for i := range values {
		cover, medians := number(o.Cover[i+offset]), o.Median[min(i+offset, len(o.Median)):]
		medians = medians[:min(in.Lead+1, len(medians))]
		top := 0.0
		for _, m := range medians {
			top = max(top, number(m))
		}
		values[i], expected[i] = cover, min(top, cover)
		if quiet[min(i, len(quiet)-1)] <= i+in.Lead {
			values[i], expected[i] = in.window(i, cover, top, medians), in.window(i, min(top, cover), top, medians)
		}
	}
	return values, expected
}

// window is the demand over the lead window that begins at step i, peaks applied. top is the largest of the window's medians.
func (in buildInput) window(i int, cover, top float64, medians []float64) float64 {
	out := 0.0
	for j := 0; j <= in.Lead; j++ {
		base := cover
		if top > 0 && j < len(medians) {
			base = cover * (number(medians[j]) / top)
		}
		out = max(out, number(in.Peaks[i+j].Apply(base, in.Capacity)))
	}
	return out
}

// quiet tells, for each step, the first step from there on at which something is declared. It has one element beyond the end.
func (in buildInput) quiet() []int {
	if len(in.Peaks) == 0 {
		return []int{math.MaxInt}
	}
	next := make([]int, len(in.Peaks)+1)
	next[len(in.Peaks)] = math.MaxInt
	for i := len(in.Peaks) - 1; i >= 0; i-- {
		next[i] = next[i+1]
		if !in.Peaks[i].IsNeutral() {
			next[i] = i
		}
	}
	return next
}

// declared is what the peaks say on their own; nothing where no peak that counts falls into the lead window.
func (in buildInput) declared(counts func(scheduler.Demand) bool, nothing float64) []float64 {
	alone := in.alone(counts)
	values := make([]float64, in.Horizon)
	for i := range values {
		values[i] = nothing
		for j := i; j <= i+in.Lead && j < len(alone); j++ {
			if v := alone[j]; !math.IsNaN(v) && !(v <= values[i]) {
				values[i] = v
			}
		}
	}
	return values
}

// alone is what the peaks of each step say on their own; NaN where none counts.
func (in buildInput) alone(counts func(scheduler.Demand) bool) []float64 {
	out := make([]float64, len(in.Peaks))
	for j, d := range in.Peaks {
		out[j] = math.NaN()
		if !counts(d) {
			continue
		}
		base := 0.0
		if !in.PeaksAlone && (d.Multiply != 1 || d.Add != 0 || d.MultiplyTo > 1 || d.AddTo > 0) {
			base = number(in.Observed)
			if !math.IsNaN(in.PeakBase) {
				base = number(in.PeakBase) // what is observed has been lifted already
			}
		}
		if v := number(d.Apply(base, in.Capacity)); v > 0 || in.PeaksAlone {
			out[j] = v
		}
	}
	return out
}

func (in buildInput) bound(v float64) float64 {
	if in.Max > 0 {
		v = min(v, in.Max)
	}
	return max(v, number(in.Min))
}

// raise starts early where the HPA could not follow the plan otherwise, and notes where it needs more than MaxReplicas.
func (in buildInput) raise(values []float64, notes *Notes) {
	want := make([]int, len(values))
	for i, v := range values {
		need := plan.Replicas(number(v), in.Capacity)
		if in.MaxReplicas > 0 && need > in.MaxReplicas {
			notes.short(in, i, need)
			need = in.MaxReplicas
		}
		want[i] = need
	}
	for i, n := range in.Ramp.early(want, in.Step) {
		if n > want[i] {
			// Half a replica less than n: rounded up it is n, however the division falls out.
			values[i] = max(number(values[i]), (float64(n)-0.5)*in.Capacity)
		}
	}
}

func (n *Notes) short(in buildInput, i, need int) {
	at := in.Start.Add(time.Duration(i) * in.Step)
	if n.Shortage == nil {
		n.Shortage = &Shortage{From: at, Replicas: need, Max: in.MaxReplicas}
	}
	if need > n.Shortage.Peak {
		n.Shortage.PeakAt, n.Shortage.Peak = at, need
	}
}

// lifts says whether d declares demand, rather than the lack of it.
func lifts(d scheduler.Demand) bool {
	return d.Multiply > 1 || d.Add > 0 || d.MultiplyTo > 1 || d.AddTo > 0 || d.AtLeast > 0 || d.Replicas > 0
}

// number is v, or 0 where v is NaN or below 0.
func number(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return v
}
