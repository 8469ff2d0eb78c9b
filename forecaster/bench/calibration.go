package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/internal/stats"
)

const (
	// dayBlocks is how many parts of the day are looked at on their own: of four hours each.
	dayBlocks = 6
	// minCalibration is the least length of a trace that levels are measured on.
	minCalibration = 14 * 24 * time.Hour
)

// calibrated is how a service level was kept on the second half of a series.
type calibrated struct {
	covered float64 // share of lead windows
	worst   float64 // the same in the worst part of the day
	pinball float64 // loss over that of the estimate before its margin
	err     error
}

// levelLimits are the limits at a service level, in percentage points.
type levelLimits struct{ level, mean, each, worst float64 }

func allLevelLimits() []levelLimits {
	return []levelLimits{{0.9, 1, 3, 4.5}, {0.95, 1, 3, 3}, {0.99, 0.5, 1, 2}}
}

// calibration measures the share of covered lead windows at three service levels.
func calibration(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("calibration", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	traces, err := openTraces(*only, func(t *closedloop.Trace) bool {
		return time.Duration(len(t.Raw))*t.Step >= minCalibration
	})
	if err != nil {
		return nil, err
	}
	var checks []check
	for _, l := range allLevelLimits() {
		results := each(len(traces), func(i int) calibrated { return calibrate(traces[i], l.level) })
		found, err := l.check(w, traces, results)
		if err != nil {
			return nil, err
		}
		checks = append(checks, found...)
	}
	return checks, nil
}

// check writes a line for each trace and returns the checks.
func (l levelLimits) check(w io.Writer, traces []*closedloop.Trace, results []calibrated) ([]check, error) {
	fmt.Fprintf(w, "%-40s %8s %8s %8s\n", fmt.Sprintf("service level %g", l.level), "covered", "worst", "pinball")
	var deviation, largest, under, loss float64
	for i, c := range results {
		if c.err != nil {
			return nil, c.err
		}
		fmt.Fprintf(w, "%-40s %7.2f%% %7.2f%% %8.3f\n", traces[i].Name, 100*c.covered, 100*c.worst, c.pinball)
		d := 100 * math.Abs(c.covered-l.level)
		deviation += d
		largest = math.Max(largest, d)
		under += 100 * (l.level - c.worst)
		loss += math.Log(c.pinball)
	}
	n := float64(len(results))
	at := fmt.Sprintf("service level %g: ", l.level)
	return []check{
		atMost(at+"mean deviation, points", deviation/n, l.mean),
		atMost(at+"largest deviation, points", largest, l.each),
		atMost(at+"worst four hours, points under on average", under/n, l.worst),
		atMost(at+"pinball loss over the uncalibrated estimate's", math.Exp(loss/n), 1.03),
	}, nil
}

// calibrate serves the second half of a trace at a service level. It looks at lead windows without
// a gap, and at what is served before it is raised to observed demand.
func calibrate(t *closedloop.Trace, level float64) (c calibrated) {
	o := forecaster.Options{Step: t.Step, Lead: t.Lead, Contract: forecaster.Contract{ServiceLevel: level}}
	f, err := forecaster.New(o)
	if err != nil {
		return calibrated{err: err}
	}
	half := len(t.Raw) / 2
	if err := f.Start(forecaster.Series{Start: t.Start, Step: t.Step, Values: t.Raw[:half]}); err != nil {
		return calibrated{err: err}
	}
	var covered, n, loss, plainLoss float64
	var blocks [dayBlocks]struct{ covered, n float64 }
	for i := half; i+t.Lead < len(t.Raw); i++ {
		window := t.Raw[i : i+t.Lead+1]
		if !slices.ContainsFunc(window, math.IsNaN) {
			largest, cover := slices.Max(window), f.Outlook().Cover[0]
			block := &blocks[i%t.Day()*dayBlocks/t.Day()]
			n++
			block.n++
			if largest <= cover*(1+1e-9) {
				covered++
				block.covered++
			}
			loss += stats.Pinball(largest, cover, level)
			plainLoss += stats.Pinball(largest, f.Describe().Uncalibrated, level)
		}
		if err := f.Update(t.Raw[i]); err != nil {
			return calibrated{err: err}
		}
	}
	c.covered, c.worst, c.pinball = covered/n, 1, loss/plainLoss
	for _, b := range blocks {
		if b.n > 0 {
			c.worst = math.Min(c.worst, b.covered/b.n)
		}
	}
	return c
}
