package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// A disturbance changes a trace from its middle step on, or the history before it.
type disturbance struct {
	name  string
	apply func(raw []float64, mid, day int)
}

func disturbances() []disturbance {
	scale := func(f float64) func([]float64, int, int) {
		return func(raw []float64, mid, _ int) {
			for i := mid; i < len(raw); i++ {
				raw[i] *= f
			}
		}
	}
	return []disturbance{
		{"x3", scale(3)},
		{"/3", scale(1.0 / 3)},
		{"zeros", func(raw []float64, mid, day int) { clear(raw[mid:min(len(raw), mid+max(1, day/4))]) }},
		{"permuted", func(raw []float64, mid, day int) {
			days := mid / day
			old := append([]float64(nil), raw[:mid]...)
			for k, from := range rand.New(rand.NewPCG(1, 1)).Perm(days) {
				copy(raw[mid-(k+1)*day:mid-k*day], old[mid-(from+1)*day:mid-from*day])
			}
		}},
	}
}

// A harmResult is one trace: J over that of the reactive policy, for each disturbance.
type harmResult struct {
	ratios []float64
	err    error
}

// harm measures J on disturbed traces, against the reactive policy with head-room that was tuned on
// the undisturbed history.
func harm(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("harm", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	most := fs.Int("max-steps", 0, "leave out traces with more scored steps than this; 0 for none")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	traces, err := openTraces(*only, func(t *closedloop.Trace) bool { return *most == 0 || len(t.Raw)-t.Warm <= *most })
	if err != nil {
		return nil, err
	}
	all := disturbances()
	results := each(len(traces), func(i int) harmResult { return harmTrace(traces[i], all) })
	fmt.Fprintf(w, "%-40s", "J / tuned reactive's, harmed by")
	for _, d := range all {
		fmt.Fprintf(w, " %9s", d.name)
	}
	fmt.Fprintln(w)
	worse, worst := 0, 0.0
	for i, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		fmt.Fprintf(w, "%-40s", traces[i].Name)
		for _, x := range r.ratios {
			fmt.Fprintf(w, " %9.3f", x)
			worst = math.Max(worst, x)
			if x > 1.02 {
				worse++
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "above 1.02: %d of %d\n", worse, len(results)*len(all))
	return []check{atMost("harm: worst case, against the reactive policy with head-room", worst, 1.02)}, nil
}

func harmTrace(t *closedloop.Trace, all []disturbance) harmResult {
	c := forecaster.Contract{ShortageCost: closedloop.Penalty}
	factor := t.Headroom(closedloop.Reactive)
	mid := (t.Warm + len(t.Raw)) / 2
	before, err := decide(t, t.Warm, mid, c, nil)
	if err != nil {
		return harmResult{err: err}
	}
	var result harmResult
	for _, d := range all {
		raw := append([]float64(nil), t.Raw...)
		d.apply(raw, mid, t.Day())
		seen := closedloop.New(t.Name, t.Start, t.Step, raw, t.Lead, t.Warm)
		// Decisions before the middle are scored on the trace as it was then.
		mixed := append(append([]float64(nil), t.Raw[:mid]...), raw[mid:]...)
		scored := closedloop.New(t.Name, t.Start, t.Step, mixed, t.Lead, t.Warm)
		seen.Capacity, scored.Capacity = t.Capacity, t.Capacity
		after, err := decide(seen, mid, len(raw), c, nil)
		if err != nil {
			return harmResult{err: err}
		}
		ours := append(append([]float64(nil), before...), after...)
		reactive := scored.Decisions(closedloop.Reactive(scored, scored.Warm, len(scored.Raw)), factor)
		ratio := scored.Score(ours).J / math.Max(scored.Score(reactive).J, 1e-9)
		result.ratios = append(result.ratios, ratio)
	}
	return result
}
