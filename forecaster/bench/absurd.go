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
	// absurdDays is how many days are scored of a series with absurd samples.
	absurdDays = 2
	// absurdHistory is how much history it has.
	absurdHistory = 14 * 24 * time.Hour
)

// An absurdCase puts absurd samples into a series: count in a row, or one a day for a week where
// count is 0, of factor times the median, ending before the scored span, or within it where before
// is negative.
type absurdCase struct {
	count  int
	factor float64
	before time.Duration
}

func absurdCases() (out []absurdCase) {
	for _, before := range []time.Duration{0, time.Hour, 24 * time.Hour, 7 * 24 * time.Hour, -12 * time.Hour} {
		for _, count := range []int{1, 2, 0} {
			for _, factor := range []float64{1e2, 1e4, 1e6} {
				out = append(out, absurdCase{count, factor, before})
			}
		}
	}
	return out
}

// put returns raw with the samples of the case. The scored span begins at step warm.
func (c absurdCase) put(raw []float64, warm int, step time.Duration) []float64 {
	out := slices.Clone(raw)
	known := slices.DeleteFunc(slices.Clone(raw[:warm]), math.IsNaN)
	slices.Sort(known)
	value := c.factor * max(stats.Quantile(known, 0.5), stats.Mean(known)/10)
	last, day := warm-1-int(c.before/step), int(24*time.Hour/step)
	set := func(i int) {
		if i >= 0 && i < len(out) {
			out[i] = value
		}
	}
	for k := range c.count {
		set(last - k)
	}
	for k := range 7 * max(0, 1-c.count) {
		set(last - k*day)
	}
	return out
}

// absurd measures what absurd samples cost: J on clean demand, against J without them.
func absurd(w io.Writer, args []string) ([]check, error) {
	fs := flag.NewFlagSet("absurd", flag.ContinueOnError)
	only := fs.String("only", "", "measure traces whose name contains this")
	every := fs.Int("every", 1, "measure every so many cases of a trace only")
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	traces, err := openTraces(*only, func(t *closedloop.Trace) bool { return t.Step <= 10*time.Minute })
	if err != nil {
		return nil, err
	}
	type result struct {
		ratios []float64
		worst  string
		err    error
	}
	cases := absurdCases()
	results := each(len(traces), func(i int) (r result) {
		t, _ := traces[i].Young(min(absurdHistory, time.Duration(traces[i].Warm)*traces[i].Step), absurdDays*24*time.Hour)
		clean, err := absurdJ(t, t.Raw)
		if err != nil {
			return result{err: err}
		}
		most := 0.0
		for k := i % *every; k < len(cases); k += *every {
			j, err := absurdJ(t, cases[k].put(t.Raw, t.Warm, t.Step))
			if err != nil {
				return result{err: err}
			}
			r.ratios = append(r.ratios, j/clean)
			if j/clean > most {
				most, r.worst = j/clean, fmt.Sprintf("%+v", cases[k])
			}
		}
		return r
	})
	worst := 0.0
	for i, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		worst = max(worst, slices.Max(r.ratios))
		fmt.Fprintf(w, "%-40s mean %.4f, most %.4f with %s\n",
			traces[i].Name, stats.Mean(r.ratios), slices.Max(r.ratios), r.worst)
	}
	return []check{atMost("absurd samples: J on clean demand, against J without them", worst, 1.03)}, nil
}

// absurdJ returns J on the clean demand of t, when the forecaster is given raw.
func absurdJ(t *closedloop.Trace, raw []float64) (float64, error) {
	f, err := forecaster.New(forecaster.Options{
		Step: t.Step, Lead: t.Lead, Contract: forecaster.Contract{ShortageCost: closedloop.Penalty},
	})
	if err != nil {
		return 0, err
	}
	if err := f.Start(forecaster.Series{Start: t.Start, Step: t.Step, Values: raw[:t.Warm]}); err != nil {
		return 0, err
	}
	decisions := make([]float64, 0, len(raw)-t.Warm)
	believed, doubted := t.Filled[t.Warm-1], forecaster.Absurd(t.Step, raw)
	for i := t.Warm; i < len(raw); i++ {
		if v := raw[i-1]; !math.IsNaN(v) && !slices.Contains(doubted, i-1) {
			believed = v
		}
		demand := believed
		if o := f.Outlook(); o.Skilled {
			demand = math.Max(o.Cover[0], demand)
		}
		decisions = append(decisions, t.Replicas(demand))
		if err := f.Update(raw[i]); err != nil {
			return 0, err
		}
	}
	return t.Score(decisions).J, nil
}
