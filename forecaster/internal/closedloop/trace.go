// Package closedloop scores replica decisions on a demand trace by what they would have cost and
// missed, as the project's yardstick does.
//
// A decision for step t knows the steps before t. A replica requested at t is paid for from t on,
// and serves from t + Lead on. A scale-down waits until the decisions of Wait steps in a row were
// lower. One replica serves Capacity per step. Gaps hold the last value and are left out of the
// sums. The oracle is the cheapest plan that serves everything.
package closedloop

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
)

// Penalty is what a unit of unserved demand costs, in units of serving it.
const Penalty = 20

const (
	// meanReplicas serve mean demand before the scored steps.
	meanReplicas = 20
	// scaleDownWait is how long a scale-down waits.
	scaleDownWait = 300 * time.Second
)

// A Trace is demand in two parts. The first Warm steps are history, those after it are scored.
type Trace struct {
	Name     string
	Start    time.Time
	Step     time.Duration
	Lead     int // steps
	Warm     int
	Wait     int       // steps that a scale-down waits
	Raw      []float64 // NaN is a gap
	Filled   []float64 // gaps hold the last known value
	Capacity float64   // demand that one replica serves
	Oracle   Score
}

// A Score is what decisions cost and missed on a trace.
type Score struct {
	Unserved float64 // share of demand
	Short    float64 // share of steps
	Replicas float64 // mean of the replicas that are paid for
	J        float64 // paid replica-steps + Penalty × unserved replica-steps
}

// New returns the trace of a series of demand. lead and warm are in steps.
func New(name string, start time.Time, step time.Duration, raw []float64, lead, warm int) *Trace {
	t := &Trace{
		Name: name, Start: start, Step: step, Lead: lead, Warm: warm, Raw: raw, Filled: fill(raw),
		Wait: int(scaleDownWait / step),
	}
	sum, n := 0.0, 0.0
	for _, v := range raw[:warm] {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	t.Capacity = sum / n / meanReplicas
	t.Oracle = t.score(t.oracle(), 0)
	return t
}

// Young returns the trace as it is known to a service with so much history before the scored steps,
// of which it keeps what lies within span. Capacity stays that of the whole history. It reports
// whether there is as much history.
func (t *Trace) Young(history, span time.Duration) (*Trace, bool) {
	from, to := t.Warm-int(history/t.Step), min(len(t.Raw), t.Warm+int(span/t.Step))
	if from < 0 {
		return nil, false
	}
	y := *t
	y.Start, y.Warm = t.Start.Add(time.Duration(from)*t.Step), t.Warm-from
	y.Raw, y.Filled = t.Raw[from:to], t.Filled[from:to]
	y.Oracle = y.score(y.oracle(), 0)
	return &y, true
}

// fill replaces gaps by the last known value, and those at the beginning by the first.
func fill(raw []float64) []float64 {
	out := make([]float64, len(raw))
	last := math.NaN()
	for i, v := range raw {
		if !math.IsNaN(v) {
			last = v
		}
		out[i] = last
	}
	first := 0
	for first < len(out) && math.IsNaN(out[first]) {
		first++
	}
	for i := range min(first, len(out)) {
		if first < len(out) {
			out[i] = out[first]
		}
	}
	return out
}

// Replicas returns how many replicas serve a demand; at least one.
func (t *Trace) Replicas(demand float64) float64 {
	return math.Max(1, math.Ceil(demand/t.Capacity-1e-9))
}

// oracle returns the decisions that serve everything at the least cost.
func (t *Trace) oracle() []float64 {
	n := len(t.Raw) - t.Warm
	need := make([]float64, n)
	for i := range need {
		if !math.IsNaN(t.Raw[t.Warm+i]) {
			need[i] = math.Ceil(t.Filled[t.Warm+i] / t.Capacity)
		}
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = 1
		for _, v := range need[i:min(n, i+t.Lead+1)] {
			out[i] = math.Max(out[i], v)
		}
	}
	return out
}

// Score scores decisions, in whole replicas, one for each step from Warm on.
func (t *Trace) Score(decisions []float64) Score { return t.score(decisions, t.Wait) }

func (t *Trace) score(decisions []float64, wait int) Score {
	n := len(t.Raw) - t.Warm
	if len(decisions) != n {
		panic(fmt.Sprintf("%d decisions for %d steps", len(decisions), n))
	}
	paid := make([]float64, n)
	for i := range paid {
		for _, d := range decisions[max(0, i-wait) : i+1] {
			paid[i] = math.Max(paid[i], d)
		}
	}
	var s Score
	var demand, unserved, pay, short, known float64
	for i := range paid {
		if math.IsNaN(t.Raw[t.Warm+i]) {
			continue
		}
		ready := paid[i]
		for _, p := range paid[max(0, i-t.Lead) : i+1] {
			ready = math.Min(ready, p)
		}
		d := t.Filled[t.Warm+i]
		missed := math.Max(0, d-ready*t.Capacity)
		demand += d
		unserved += missed
		pay += paid[i]
		known++
		if missed > 1e-9 {
			short++
		}
	}
	s.Unserved, s.Short, s.Replicas = unserved/demand, short/known, pay/known
	s.J = pay + Penalty*unserved/t.Capacity
	return s
}

// Load reads a CSV file of timestamp,value, plain or gzipped. It returns the first timestamp and
// the values; an empty one is NaN.
func Load(path string) (start time.Time, raw []float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return start, nil, fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	if start, raw, err = read(f, strings.HasSuffix(path, ".gz")); err != nil {
		return start, nil, fmt.Errorf("read trace %s: %w", path, err)
	}
	return start, raw, nil
}

func read(r io.Reader, zipped bool) (start time.Time, raw []float64, err error) {
	if zipped {
		if r, err = gzip.NewReader(r); err != nil {
			return start, nil, err
		}
	}
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return start, nil, err
	}
	for i, row := range rows[1:] {
		if i == 0 {
			if start, err = time.Parse(time.RFC3339, row[0]); err != nil {
				return start, nil, err
			}
		}
		v := math.NaN()
		if row[1] != "" {
			if v, err = strconv.ParseFloat(row[1], 64); err != nil {
				return start, nil, err
			}
		}
		raw = append(raw, v)
	}
	return start, raw, nil
}
