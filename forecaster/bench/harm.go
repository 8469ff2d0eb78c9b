package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// A harm changes a trace from its middle step on.
type harm struct {
	name string
	do   func(raw []float64, mid, day int)
}

func harms() []harm {
	scale := func(f float64) func([]float64, int, int) {
		return func(raw []float64, mid, _ int) {
			for i := mid; i < len(raw); i++ {
				raw[i] *= f
			}
		}
	}
	return []harm{
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

type harmRow struct {
	ratio []float64
	err   error
}

// harmBar measures J against the reactive policy's with head-room tuned on the unharmed history.
func harmBar(w io.Writer, args []string) ([]bar, error) {
	fs := flag.NewFlagSet("harm", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	most := fs.Int("max-steps", 0, "leave out traces with more scored steps than this; 0 for none")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return nil, err
	}
	var traces []*closedloop.Trace
	for _, c := range closedloop.Cases() {
		if !strings.Contains(c.Name, *only) {
			continue
		}
		t, err := c.Open(shared)
		if err != nil {
			return nil, err
		}
		if *most == 0 || len(t.Raw)-t.Warm <= *most {
			traces = append(traces, t)
		}
	}
	all := harms()
	rows := each(len(traces), func(i int) harmRow { return harmTrace(traces[i], all) })
	fmt.Fprintf(w, "%-40s", "J / tuned reactive's, harmed by")
	for _, h := range all {
		fmt.Fprintf(w, " %9s", h.name)
	}
	fmt.Fprintln(w)
	worse, worst := 0, 0.0
	for i, r := range rows {
		if r.err != nil {
			return nil, r.err
		}
		fmt.Fprintf(w, "%-40s", traces[i].Name)
		for _, x := range r.ratio {
			fmt.Fprintf(w, " %9.3f", x)
			worst = math.Max(worst, x)
			if x > 1.02 {
				worse++
			}
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "above 1.02: %d of %d\n", worse, len(rows)*len(all))
	return []bar{atMost("harm: worst case, against the reactive policy with head-room", worst, 1.02)}, nil
}

func harmTrace(t *closedloop.Trace, all []harm) harmRow {
	c := forecaster.Contract{ShortageCost: closedloop.Penalty}
	factor := t.Headroom(closedloop.Reactive)
	mid := (t.Warm + len(t.Raw)) / 2
	before, err := decide(t, t.Warm, mid, c)
	if err != nil {
		return harmRow{err: err}
	}
	var row harmRow
	for _, h := range all {
		raw := append([]float64(nil), t.Raw...)
		h.do(raw, mid, t.Day())
		history := closedloop.New(t.Name, t.Start, t.Step, raw, t.Lead, t.Warm)
		// What was decided before the middle is judged on the trace as it came then.
		judged := append(append([]float64(nil), t.Raw[:mid]...), raw[mid:]...)
		u := closedloop.New(t.Name, t.Start, t.Step, judged, t.Lead, t.Warm)
		history.Capacity, u.Capacity = t.Capacity, t.Capacity
		after, err := decide(history, mid, len(raw), c)
		if err != nil {
			return harmRow{err: err}
		}
		wish := append(append([]float64(nil), before...), after...)
		reactive := u.Wish(closedloop.Reactive(u, u.Warm, len(u.Raw)), factor)
		row.ratio = append(row.ratio, u.Judge(wish).J/math.Max(u.Judge(reactive).J, 1e-9))
	}
	return row
}
