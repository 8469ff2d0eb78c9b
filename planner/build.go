package planner

import (
	"errors"
	"fmt"
	"math"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/scheduler"
)

// buildInput is everything that a plan is made of.
type buildInput struct {
	// Now is when the plan is made. It becomes the plan's ComputedAt.
	Now time.Time
	// Start of the plan: the origin of the forecast, which is the beginning of the first unknown
	// step.
	Start time.Time
	// Step of the plan: the resolution of the demand series.
	Step time.Duration
	// Horizon is how many steps the plan has.
	Horizon int
	// Lead is how many steps after its own step a value must cover.
	Lead int

	// Outlook is the forecast. It is nil, or has no skill, when there is no forecast to serve.
	Outlook *forecaster.Outlook
	// Peaks are what is declared for each step from Start on: at least Horizon + Lead + 1 elements,
	// or none.
	Peaks []scheduler.Demand
	// PeaksAlone reports whether the Forecast has no demand series. Then the peaks are the whole
	// plan, and it is 0 outside of them.
	PeaksAlone bool
	// PeakBase is the demand that factors and additions apply to while there is no skilled forecast
	// and some of them are active at Start: the demand before they began, see
	// [scheduler.Undisturbed]. It can be 0. It is NaN when none is active, and then Observed is
	// used.
	PeakBase float64
	// Observed is the newest measured demand; NaN when it is not known.
	Observed float64
	// Beyond is what does not fit into another cluster, at each step from Start on. The plan ends
	// with it. Nil is none.
	Beyond []float64

	// Capacity is the demand that one replica serves; 0 when it is not known. Ramp and MaxReplicas
	// have no effect then.
	Capacity float64
	// Ramp is how fast the HPA adds replicas.
	Ramp Ramp
	// Min and Max bound forecast and peaks. A Max of 0 or +Inf is no bound.
	Min, Max float64
	// MaxReplicas of the HPA; 0 when it is not known.
	MaxReplicas int
}

// Notes are what a user should know about a plan.
type Notes struct {
	// Shortage is where the plan needs more than MaxReplicas; nil when it never does.
	Shortage *Shortage
}

// Shortage says when and by how much a plan needs more replicas than the HPA may have.
type Shortage struct {
	// From is when the plan first needs more, and Replicas is how many it needs then.
	From     time.Time
	Replicas int
	// PeakAt is when the plan needs most, and Peak is how many it needs then.
	PeakAt time.Time
	Peak   int
	// Max is how many the HPA may have.
	Max int
}

// String describes the shortage, for a condition.
func (s Shortage) String() string {
	return fmt.Sprintf("the plan needs %d replicas from %s and %d at %s",
		s.Replicas, s.From.UTC().Format(time.RFC3339), s.Peak, s.PeakAt.UTC().Format(time.RFC3339))
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
		return errors.New("plan: capacity must be a finite number, 0 or above")
	}
	return in.Ramp.validate()
}

// build makes the plan. The value of each step is the demand that covers this step and the Lead
// steps after it.
//
// Peaks combine with the forecast in one order: × multiply, + add, the largest atLeast or replicas,
// the smallest atMost, Min and Max. This is done for each step of a lead window on its own. The
// forecast is one number for the whole window, so it is first divided among the steps of the window
// in proportion to their medians.
//
// What does not fit into another cluster is added before the bounds.
//
// Observed demand is not part of the plan: [plan.Serve] never serves less than what is observed.
//
// Last, the plan is raised where the HPA could not add replicas fast enough to follow it.
func build(in buildInput) (plan.Plan, Notes, error) {
	if err := in.validate(); err != nil {
		return plan.Plan{}, Notes{}, err
	}
	var notes Notes
	values, expected := in.values()
	if in.Beyond != nil {
		values, expected = in.addBeyond(values, expected)
	}
	if len(values) == 0 {
		return plan.Plan{}, Notes{}, errors.New("plan: nothing is known of any step")
	}
	for _, line := range [][]float64{values, expected} {
		for i, v := range line {
			if !math.IsNaN(v) {
				line[i] = in.bound(v)
			}
		}
	}
	if in.Capacity > 0 {
		in.followRamp(values, &notes)
	}
	segment := plan.Segment{Step: in.Step, Values: values, Expected: expected}
	return plan.Plan{ComputedAt: in.Now, Start: in.Start, Segments: []plan.Segment{segment}}, notes, nil
}

// values returns the plan before bounds and ramp. expected is the median forecast of the same
// steps, with peaks; nil without a forecast.
func (in buildInput) values() (values, expected []float64) {
	if in.PeaksAlone {
		return in.peaksOnly(func(scheduler.Demand) bool { return true }, 0), nil
	}
	if o := in.Outlook; o != nil && o.Skilled {
		if values, expected := in.forecastWithPeaks(o); len(values) > 0 {
			return values, expected
		}
	}
	return in.peaksOnly(raisesDemand, math.NaN()), nil
}

// addBeyond adds what does not fit into another cluster. Where the plan has no value, observed demand
// stands for the service's own.
func (in buildInput) addBeyond(values, expected []float64) (all, allExpected []float64) {
	n := min(len(values), len(in.Beyond))
	values, expected = values[:n], expected[:min(n, len(expected))]
	for i, over := range in.Beyond[:n] {
		if math.IsNaN(values[i]) && over > 0 {
			values[i] = nonNegative(in.Observed)
		}
		values[i] += over
	}
	for i := range expected {
		expected[i] += in.Beyond[i]
	}
	return values, expected
}

// forecastWithPeaks applies the peaks to the forecast. The plan ends with the forecast. It is nil
// where the forecast does not reach it.
func (in buildInput) forecastWithPeaks(o *forecaster.Outlook) (values, expected []float64) {
	offset := 0
	if o.Step > 0 {
		offset = int(in.Start.Sub(o.Start) / o.Step)
	}
	n := min(in.Horizon, len(o.Cover)-offset)
	if o.Step != in.Step || in.Start.Before(o.Start) || n <= 0 {
		return nil, nil
	}
	values, expected = make([]float64, n), make([]float64, n)
	medians := make([]float64, max(0, min(len(o.Median)-offset, n+in.Lead)))
	for i := range medians {
		medians[i] = nonNegative(o.Median[i+offset])
	}
	nextPeak, tops := in.nextPeak(), slidingMax(medians, n, in.Lead+1)
	var windows *leadWindows // made when a peak is there
	for i := range values {
		cover, top := nonNegative(o.Cover[i+offset]), nonNegative(tops[i])
		values[i], expected[i] = cover, min(top, cover)
		if nextPeak[min(i, len(nextPeak)-1)] <= i+in.Lead {
			if windows == nil {
				windows = newLeadWindows(in, medians)
			}
			values[i], expected[i] = windows.demand(i, cover, top), windows.demand(i, min(top, cover), top)
		}
	}
	return values, expected
}

// nextPeak returns, for each step, the first step from there on at which something is declared;
// math.MaxInt where nothing is. It has one element more than there are steps.
func (in buildInput) nextPeak() []int {
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

// peaksOnly returns the plan that the peaks make without a forecast. Only peaks for which counts
// reports true matter. A step without such a peak in its lead window gets otherwise.
func (in buildInput) peaksOnly(counts func(scheduler.Demand) bool, otherwise float64) []float64 {
	values := slidingMax(in.peakValues(counts), in.Horizon, in.Lead+1)
	for i, v := range values {
		if math.IsNaN(v) || v < otherwise {
			values[i] = otherwise
		}
	}
	return values
}

// peakValues returns the demand that the peaks of each single step mean without a forecast; NaN
// where no peak counts.
func (in buildInput) peakValues(counts func(scheduler.Demand) bool) []float64 {
	out := make([]float64, len(in.Peaks))
	for j, d := range in.Peaks {
		out[j] = math.NaN()
		if !counts(d) {
			continue
		}
		base := 0.0
		if !in.PeaksAlone && (d.Multiply != 1 || d.Add != 0 || d.MultiplyTo > 1 || d.AddTo > 0) {
			base = nonNegative(in.Observed)
			if !math.IsNaN(in.PeakBase) {
				base = nonNegative(in.PeakBase) // Observed demand already includes the active peaks.
			}
		}
		if v := nonNegative(d.Apply(base, in.Capacity)); v > 0 || in.PeaksAlone {
			out[j] = v
		}
	}
	return out
}

func (in buildInput) bound(v float64) float64 {
	if in.Max > 0 {
		v = min(v, in.Max)
	}
	return max(v, nonNegative(in.Min))
}

// followRamp raises values early where the HPA could not follow the plan otherwise. It notes where
// the plan needs more than MaxReplicas.
func (in buildInput) followRamp(values []float64, notes *Notes) {
	want := make([]int, len(values))
	for i, v := range values {
		need := plan.Replicas(nonNegative(v), in.Capacity)
		if in.MaxReplicas > 0 && need > in.MaxReplicas {
			notes.addShortage(in, i, need)
			need = in.MaxReplicas
		}
		want[i] = need
	}
	for i, n := range in.Ramp.early(want, in.Step) {
		if n > want[i] {
			// Half a replica less than n is rounded up to n, whatever the rounding error of the
			// division.
			values[i] = max(nonNegative(values[i]), (float64(n)-0.5)*in.Capacity)
		}
	}
}

// addShortage notes that step i needs more than MaxReplicas. Steps are added in their order.
func (n *Notes) addShortage(in buildInput, i, need int) {
	at := in.Start.Add(time.Duration(i) * in.Step)
	if n.Shortage == nil {
		n.Shortage = &Shortage{From: at, Replicas: need, Max: in.MaxReplicas}
	}
	if need > n.Shortage.Peak {
		n.Shortage.PeakAt, n.Shortage.Peak = at, need
	}
}

// raisesDemand reports whether d declares more demand than usual. A lull does not.
func raisesDemand(d scheduler.Demand) bool {
	return d.Multiply > 1 || d.Add > 0 || d.MultiplyTo > 1 || d.AddTo > 0 || d.AtLeast > 0 || d.Replicas > 0
}

// nonNegative returns v, or 0 where v is NaN or below 0.
func nonNegative(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return v
}
