package render

import (
	"math"
	"strconv"
	"time"

	"headstart.dev/headstart/report"
	"headstart.dev/headstart/report/internal/format"
)

// timeline is the data of the page's charts. It is short, since it is the largest part of the page.
type timeline struct {
	// Start is the beginning of the first step, in seconds since 1970, and Step its length in
	// seconds.
	Start int64   `json:"start"`
	Step  float64 `json:"step"`
	// From is the index of the first replayed step. Demand begins at the first step, and all other
	// data at From.
	From     int     `json:"from"`
	Capacity float64 `json:"capacity"` // of one replica
	// Capacities are those of the replayed steps where they are learned, as pairs: a capacity, and how
	// many steps it lasts.
	Capacities []float64      `json:"capacities,omitempty"`
	Zone       string         `json:"zone"`
	Demand     demand         `json:"demand"`
	Served     numbers        `json:"served,omitempty"`
	Expected   numbers        `json:"expected,omitempty"`
	Policies   []timelineLine `json:"policies"`
	// Worst is the day that the charts show at first, with its ends in seconds since 1970.
	Worst [2]int64 `json:"worst"`
	// Main are the lines of replicas that are visible at first.
	Main  []string `json:"main"`
	Marks []mark   `json:"marks,omitempty"`
}

// timelineLine is a policy's ready replicas, as pairs: a number of replicas, and how many steps it
// lasts.
type timelineLine struct {
	Policy string `json:"policy"`
	Ready  []int  `json:"ready"`
}

// mark is a declared peak or a named day, with its ends in seconds since 1970.
type mark struct {
	Kind string `json:"kind"` // peak or day
	Name string `json:"name"`
	From int64  `json:"from"`
	To   int64  `json:"to"`
}

func newTimeline(r *report.Report) timeline {
	s := r.Steps
	out := timeline{
		Start: s.Start.Unix(), Step: s.Step.Seconds(), From: s.From, Capacity: s.Capacity, Zone: s.Location.String(),
		Demand: demand{s}, Capacities: capacityRuns(s.Capacities), Served: s.Served, Expected: s.Expected, Marks: marks(s),
	}
	out.Policies = policyLines(r)
	first, second := chartedPolicies(r)
	if first != nil {
		out.Main = append(out.Main, first.Policy)
	}
	if second != nil {
		first = second
		out.Main = append(out.Main, second.Policy)
	}
	if first != nil {
		start, end := localDay(worstDay(s, *first), s.Location)
		out.Worst = [2]int64{start.Unix(), end.Unix()}
	}
	return out
}

// policyLines returns the ready replicas of each policy, and those of the policy of today with its
// headroom.
func policyLines(r *report.Report) []timelineLine {
	var out []timelineLine
	for _, result := range r.Policies {
		if result.Figures == nil {
			continue
		}
		out = append(out, timelineLine{Policy: result.Policy, Ready: runLengths(result.Ready)})
		if b := r.Baseline; b != nil && b.Tuned && b.Policy == result.Policy && result.TunedReady != nil {
			out = append(out, timelineLine{Policy: b.Name(), Ready: runLengths(result.TunedReady)})
		}
	}
	return out
}

// runLengths returns the runs of equal numbers, as pairs of the number and the length.
func runLengths(x []float64) []int {
	var out []int
	for i, v := range x {
		if i > 0 && v == x[i-1] {
			out[len(out)-1]++
			continue
		}
		out = append(out, int(v), 1)
	}
	return out
}

// capacityRuns returns the runs of equal capacities, as pairs of the capacity and the length.
func capacityRuns(x []float64) []float64 {
	var out []float64
	for i, v := range x {
		if i > 0 && v == x[i-1] {
			out[len(out)-1]++
			continue
		}
		out = append(out, v, 1)
	}
	return out
}

// maxMarks bounds the size of the page for schedules with many short windows.
const maxMarks = 500

// marks returns the declared peaks and the named days within the series.
func marks(s report.Steps) []mark {
	var out []mark
	begin, end := s.Start, s.End()
	add := func(kind, name string, from, to time.Time) {
		if len(out) < maxMarks && to.After(begin) && from.Before(end) {
			out = append(out, mark{Kind: kind, Name: name, From: from.Unix(), To: to.Unix()})
		}
	}
	for _, peaks := range s.Peaks {
		occurrences, _ := peaks.Between(begin, end, maxMarks)
		for _, o := range occurrences {
			add("peak", o.Schedule+"/"+o.Window, o.Start, o.End)
		}
	}
	for _, d := range s.Days {
		add("day", d.Name, d.Start, d.End)
	}
	return out
}

// demand is the demand of the steps, in JSON as numbers. A value that needs other replicas once it
// is rounded has all its digits: the page computes needed replicas and shortfalls from it, and they
// must be those of the table.
type demand struct{ steps report.Steps }

// MarshalJSON implements json.Marshaler.
func (d demand) MarshalJSON() ([]byte, error) {
	return list(d.steps.Demand, func(i int, v float64) int {
		if d.needed(i, format.Rounded(v)) != d.needed(i, v) {
			return -1
		}
		return pageDigits
	}), nil
}

// needed returns the replicas that serve a demand in a step, as page.js does.
func (d demand) needed(i int, v float64) float64 {
	capacity := d.steps.Capacity
	if k := i - d.steps.From; k >= 0 {
		capacity = d.steps.CapacityAt(k)
	}
	return math.Ceil(v/capacity - 1e-9)
}

// pageDigits are the significant digits of the numbers of the charts.
const pageDigits = 5

// numbers is a list in JSON with five significant digits for each number. NaN and infinity are
// null.
type numbers []float64

// MarshalJSON implements json.Marshaler.
func (n numbers) MarshalJSON() ([]byte, error) {
	return list(n, func(int, float64) int { return pageDigits }), nil
}

// list writes numbers in JSON with some digits. -1 stands for all of them.
func list(values []float64, digits func(i int, v float64) int) []byte {
	b := []byte{'['}
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			b = append(b, "null"...)
		} else {
			b = strconv.AppendFloat(b, v, 'g', digits(i, v), 64)
		}
	}
	return append(b, ']')
}
