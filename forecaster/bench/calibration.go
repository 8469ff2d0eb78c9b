package main

import (
	"flag"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// dayBlocks is how many parts of the day are looked at on their own: of four hours each.
const dayBlocks = 6

// calibrated is how a service level was kept on the second half of a series.
type calibrated struct {
	covered float64 // share of lead windows
	worst   float64 // the same in the worst part of the day
	pinball float64 // loss over that of the estimate before its margin
	err     error
}

// promiseBar is what is asked at a service level, in points.
type promiseBar struct{ level, mean, each, worst float64 }

func promiseBars() []promiseBar {
	return []promiseBar{{0.9, 1, 3, 4.5}, {0.95, 1, 3, 3}, {0.99, 0.5, 1, 2}}
}

// minCalibration is the least length of a trace that levels are measured on.
const minCalibration = 14 * 24 * time.Hour

func calibration(w io.Writer, args []string) ([]bar, error) {
	fs := flag.NewFlagSet("calibration", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	shared, err := closedloop.Shared()
	if err != nil {
		return nil, err
	}
	var traces []*closedloop.Trace
	for _, k := range closedloop.Cases() {
		if !strings.Contains(k.Name, *only) {
			continue
		}
		t, err := k.Open(shared)
		if err != nil {
			return nil, err
		}
		if time.Duration(len(t.Raw))*t.Step >= minCalibration {
			traces = append(traces, t)
		}
	}
	var bars []bar
	for _, b := range promiseBars() {
		rows := each(len(traces), func(i int) calibrated { return calibrate(traces[i], b.level) })
		found, err := b.judge(w, traces, rows)
		if err != nil {
			return nil, err
		}
		bars = append(bars, found...)
	}
	return bars, nil
}

// judge prints a line a trace and returns the bars.
func (b promiseBar) judge(w io.Writer, traces []*closedloop.Trace, rows []calibrated) ([]bar, error) {
	fmt.Fprintf(w, "%-40s %8s %8s %8s\n", fmt.Sprintf("service level %g", b.level), "covered", "worst", "pinball")
	var off, most, under, loss float64
	for i, c := range rows {
		if c.err != nil {
			return nil, c.err
		}
		fmt.Fprintf(w, "%-40s %7.2f%% %7.2f%% %8.3f\n", traces[i].Name, 100*c.covered, 100*c.worst, c.pinball)
		d := 100 * math.Abs(c.covered-b.level)
		off += d
		most = math.Max(most, d)
		under += 100 * (b.level - c.worst)
		loss += math.Log(c.pinball)
	}
	n := float64(len(rows))
	at := fmt.Sprintf("service level %g: ", b.level)
	return []bar{
		atMost(at+"mean deviation, points", off/n, b.mean),
		atMost(at+"largest deviation, points", most, b.each),
		atMost(at+"worst four hours, points under on average", under/n, b.worst),
		atMost(at+"pinball loss over the uncalibrated estimate's", math.Exp(loss/n), 1.03),
	}, nil
}

// calibrate measures lead windows without a gap, before the observed floor.
func calibrate(t *closedloop.Trace, level float64) (c calibrated) {
	f, err := forecaster.New(forecaster.Options{Step: t.Step, Lead: t.Lead, Contract: forecaster.Contract{ServiceLevel: level}})
	if err != nil {
		return calibrated{err: err}
	}
	half := len(t.Raw) / 2
	if err := f.Start(forecaster.Series{Start: t.Start, Step: t.Step, Values: t.Raw[:half]}); err != nil {
		return calibrated{err: err}
	}
	var held, n float64
	var blocks [dayBlocks]struct{ held, n float64 }
	var ours, plain float64
	for i := half; i+t.Lead < len(t.Raw); i++ {
		window := t.Raw[i : i+t.Lead+1]
		if !slices.ContainsFunc(window, math.IsNaN) {
			top, cover := slices.Max(window), f.Outlook().Cover[0]
			block := &blocks[i%t.Day()*dayBlocks/t.Day()]
			n++
			block.n++
			if top <= cover*(1+1e-9) {
				held++
				block.held++
			}
			ours += pinball(top, cover, level)
			plain += pinball(top, f.Describe().Uncalibrated, level)
		}
		if err := f.Update(t.Raw[i]); err != nil {
			return calibrated{err: err}
		}
	}
	c.covered, c.worst, c.pinball = held/n, 1, ours/plain
	for _, b := range blocks {
		if b.n > 0 {
			c.worst = math.Min(c.worst, b.held/b.n)
		}
	}
	return c
}

// pinball returns the loss of promising q at a level where y came.
func pinball(y, q, level float64) float64 {
	return math.Max(level*(y-q), (level-1)*(y-q))
}
