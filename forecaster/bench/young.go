package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

const (
	// youngDays is how many days are scored of a young service.
	youngDays = 2
	// carefulTarget is the utilisation that a careful team targets where it cannot tune.
	carefulTarget = 0.75
)

// An age is how much history a young service has, and the most that its decisions may cost.
type age struct {
	history time.Duration
	most    float64 // J over the oracle's, geometric mean
}

func ages() []age {
	h := time.Hour
	return []age{{6 * h, 1.43}, {12 * h, 1.41}, {24 * h, 1.38}, {48 * h, 1.35}, {96 * h, 1.345}}
}

// A youngResult is one trace: J over the oracle's at each age; NaN where the trace is too short.
type youngResult struct {
	ours              []float64
	reactive, careful float64 // J over the oracle's of the reactive policy, as it is and with headroom
	err               error
}

// young measures J where only hours of history are known. The same two days of each trace are
// scored at all ages.
func young(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("young", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	tables := fs.String("tables", "",
		"folder of global models that have not seen a source, SOURCE.json (default: the one that is shipped)")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	traces, err := openTraces(*only, func(t *closedloop.Trace) bool { return t.Step <= 10*time.Minute })
	if err != nil {
		return nil, err
	}
	results := each(len(traces), func(i int) youngResult { return youngTrace(traces[i], *tables) })
	return youngChecks(w, traces, results)
}

func youngTrace(t *closedloop.Trace, tables string) (r youngResult) {
	model, err := unseen(t, tables)
	if err != nil {
		return youngResult{err: err}
	}
	for _, a := range ages() {
		c, ok := t.Young(a.history, youngDays*24*time.Hour)
		if !ok {
			r.ours = append(r.ours, math.NaN())
			continue
		}
		n := len(c.Raw)
		decisions, err := decide(c, c.Warm, n, forecaster.Contract{ShortageCost: closedloop.Penalty}, model)
		if err != nil {
			return youngResult{err: err}
		}
		r.ours = append(r.ours, c.Score(decisions).J/c.Oracle.J)
		reactive := closedloop.Reactive(c, c.Warm, n)
		r.reactive = c.Score(c.Decisions(reactive, 1)).J / c.Oracle.J
		r.careful = c.Score(c.Decisions(reactive, 1/carefulTarget)).J / c.Oracle.J
	}
	return r
}

// youngChecks writes a line for each trace and returns the checks.
func youngChecks(w io.Writer, traces []*closedloop.Trace, results []youngResult) ([]check, error) {
	fmt.Fprintf(w, "%-40s", "J/oracle's, with hours of history")
	for _, a := range ages() {
		fmt.Fprintf(w, " %7.0f", a.history.Hours())
	}
	fmt.Fprintf(w, " reactive at %.0f %%\n", 100*carefulTarget)
	sums, n, worst := make([]float64, len(ages())), make([]float64, len(ages())), 0.0
	for i, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		var line strings.Builder
		for k, j := range r.ours {
			fmt.Fprintf(&line, " %7.3f", j)
			if !math.IsNaN(j) {
				sums[k] += math.Log(j)
				n[k]++
				worst = math.Max(worst, j/math.Min(r.reactive, r.careful))
			}
		}
		fmt.Fprintf(w, "%-40s%s %7.3f %7.3f\n", traces[i].Name, line.String(), r.reactive, r.careful)
	}
	var checks []check
	for k, a := range ages() {
		checks = append(checks, atMost(fmt.Sprintf("young: geometric mean of J over the oracle's with %g hours of history",
			a.history.Hours()), math.Exp(sums[k]/n[k]), a.most))
	}
	checks = append(checks, atMost("young: worst case, against the better of reactive and reactive at 75 %", worst, 1.03))
	return checks, nil
}
