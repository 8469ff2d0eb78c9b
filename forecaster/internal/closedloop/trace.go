// Package closedloop judges replica decisions on a demand trace: what they would have cost and missed.
//
// One step is one trace interval. A decision for step t knows the steps before t. A replica asked for at t is paid from t and
// serves from t + Lead; scale-down waits until Stab steps in a row wished for less. One replica serves Capacity per step. Missing
// steps hold the last value and are left out of the sums. The oracle is the cheapest plan that serves everything.
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

// A Trace is demand, cut at Warm steps: what comes before is history, what comes after is scored.
type Trace struct {
	Name     string
	Start    time.Time
	Step     time.Duration
	Lead     int
	Warm     int
	Stab     int       // steps that a scale-down waits
	Raw      []float64 // NaN is a gap
	Full     []float64 // gaps hold the last known value
	Capacity float64
	Oracle   Score
}

// A Score is what decisions cost and missed on a trace.
type Score struct {
	Unserved float64 // share of demand
	Short    float64 // share of steps
	Alive    float64 // mean paid replicas
	J        float64 // paid replica-steps + Penalty × unserved replica-steps
}

// New cuts a series of demand; lead and warm are in steps.
func New(name string, start time.Time, step time.Duration, raw []float64, lead, warm int) *Trace {
	t := &Trace{Name: name, Start: start, Step: step, Lead: lead, Warm: warm, Raw: raw, Full: Hold(raw), Stab: int(300 * time.Second / step)}
	sum, n := 0.0, 0.0
	for _, v := range raw[:warm] {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	t.Capacity = sum / n / 20
	t.Oracle = t.judge(t.oracle(), 0)
	return t
}

// Hold replaces gaps by the last known value, and those at the beginning by the first.
func Hold(raw []float64) []float64 {
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

func (t *Trace) oracle() []float64 {
	n := len(t.Raw) - t.Warm
	need := make([]float64, n)
	for i := range need {
		if !math.IsNaN(t.Raw[t.Warm+i]) {
			need[i] = math.Ceil(t.Full[t.Warm+i] / t.Capacity)
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

// Judge scores a wish, in whole replicas, for each step from Warm on.
func (t *Trace) Judge(wish []float64) Score { return t.judge(wish, t.Stab) }

func (t *Trace) judge(wish []float64, stab int) Score {
	n := len(t.Raw) - t.Warm
	if len(wish) != n {
		panic(fmt.Sprintf("%d decisions for %d steps", len(wish), n))
	}
	paid := make([]float64, n)
	for i := range paid {
		for _, w := range wish[max(0, i-stab) : i+1] {
			paid[i] = math.Max(paid[i], w)
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
		d := t.Full[t.Warm+i]
		miss := math.Max(0, d-ready*t.Capacity)
		demand += d
		unserved += miss
		pay += paid[i]
		known++
		if miss > 1e-9 {
			short++
		}
	}
	s.Unserved, s.Short, s.Alive = unserved/demand, short/known, pay/known
	s.J = pay + Penalty*unserved/t.Capacity
	return s
}

// Load reads a CSV of timestamp,value, plain or gzipped.
func Load(path string) (start time.Time, raw []float64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return start, nil, fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			return start, nil, fmt.Errorf("read trace %s: %w", path, err)
		}
	}
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return start, nil, fmt.Errorf("read trace %s: %w", path, err)
	}
	for i, row := range rows[1:] {
		if i == 0 {
			if start, err = time.Parse(time.RFC3339, row[0]); err != nil {
				return start, nil, fmt.Errorf("read trace %s: %w", path, err)
			}
		}
		v := math.NaN()
		if row[1] != "" {
			if v, err = strconv.ParseFloat(row[1], 64); err != nil {
				return start, nil, fmt.Errorf("read trace %s: %w", path, err)
			}
		}
		raw = append(raw, v)
	}
	return start, raw, nil
}
