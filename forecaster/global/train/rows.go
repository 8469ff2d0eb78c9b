package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/internal/closedloop"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/regress"
)

// A source is a set of traces from one place: they share users, platforms and dates, so a model
// that has seen some of them has not to be measured on the others.
type source struct {
	name, pattern string
	step          time.Duration
}

func sources() []source {
	m := time.Minute
	return []source{
		{"servegen", "llm_servegen_*", 10 * m},
		{"azure", "llm_azure*", 10 * m},
		{"burstgpt", "llm_burstgpt*", m},
		{"tencent", "tencent_cpu_*", m},
		{"worldcup", "web_worldcup*", m},
		{"nasa", "web_nasa*", m},
		{"elb", "web_aws_elb*", 5 * m},
		{"tweets", "tweets_*", 5 * m},
	}
}

// rows are the lead windows of one source.
type rows struct {
	source string
	*regress.Design
}

// load reads all traces, and cuts them as services of several ages would know them.
func load(dir string) ([]rows, error) {
	var out []rows
	for _, s := range sources() {
		files, err := filepath.Glob(filepath.Join(dir, s.pattern+".csv.gz"))
		if err != nil {
			return nil, err
		}
		if len(files) == 0 {
			return nil, fmt.Errorf("no traces of %s in %s", s.name, dir)
		}
		for _, f := range files {
			start, raw, err := closedloop.Load(f)
			if err != nil {
				return nil, err
			}
			t := trace{strings.TrimSuffix(filepath.Base(f), ".csv.gz"), start, s.step, raw}
			out = append(out, rows{s.name, t.all()})
		}
	}
	return out, nil
}

// A trace is one series.
type trace struct {
	name  string
	start time.Time
	step  time.Duration
	raw   []float64
}

// all returns rows of the trace at its own step, and at longer ones.
func (t trace) all() *regress.Design {
	d := &regress.Design{P: global.Inputs, Stride: 1}
	for _, k := range []int{1, 5, 10} {
		if step := time.Duration(k) * t.step; step <= 10*time.Minute {
			t.every(k).add(d)
		}
	}
	return d
}

// every returns the trace with steps that are k times as long.
func (t trace) every(k int) trace {
	if k == 1 {
		return t
	}
	out := trace{t.name, t.start, t.step * time.Duration(k), nil}
	for i := 0; i+k <= len(t.raw); i += k {
		sum, n := 0.0, 0.0
		for _, v := range t.raw[i : i+k] {
			if !math.IsNaN(v) {
				sum += v
				n++
			}
		}
		v := math.NaN()
		if n > 0 {
			v = sum / n
		}
		out.raw = append(out.raw, v)
	}
	return out
}

// add adds rows as services of several ages, with several leads, would see them.
func (t trace) add(d *regress.Design) {
	day := int(24 * time.Hour / t.step)
	rng := rand.New(rand.NewPCG(7, uint64(len(t.raw))))
	for _, age := range []float64{0.5, 1, 2, 4, 10} {
		n := int(age * float64(day))
		for from := rng.IntN(n + 1); from+n <= len(t.raw); from += n {
			for _, lead := range t.leads(rng) {
				o := forecaster.Options{Step: t.step, Lead: lead, Contract: forecaster.Contract{ShortageCost: 20}}
				s := forecaster.Series{
					Start: t.start.Add(time.Duration(from) * t.step), Step: t.step, Values: t.raw[from : from+n],
				}
				got := forecaster.GlobalRows(o, s, 2)
				keep(d, got, rng)
			}
		}
	}
}

// leads returns leads, in steps: that of about ten minutes, and another one.
func (t trace) leads(rng *rand.Rand) []int {
	own := max(1, int(10*time.Minute/t.step))
	other := []int{max(1, own/3), max(1, own/2), 2 * own, own}
	return []int{own, other[rng.IntN(len(other))]}
}

// keep adds some rows.
func keep(d, from *regress.Design, rng *rand.Rand) {
	stride := max(1, from.Rows()/1000)
	for i := rng.IntN(stride); i < from.Rows(); i += stride {
		d.X = append(d.X, from.Row(i)...)
		d.Y = append(d.Y, from.Y[i])
		d.W = append(d.W, from.W[i])
	}
}

// sample returns rows of all sources but one. A source counts as the square root of its rows.
func sample(all []rows, without string) *regress.Design {
	const most = 500_000
	count := map[string]int{}
	for _, r := range all {
		if r.source != without {
			count[r.source] += r.Rows()
		}
	}
	total := 0
	for _, n := range count {
		total += n
	}
	rng := rand.New(rand.NewPCG(11, 13))
	share := math.Min(1, most/float64(total))
	d := &regress.Design{P: global.Inputs, Stride: 1}
	for _, r := range all {
		if r.source == without {
			continue
		}
		factor := 1 / math.Sqrt(float64(count[r.source]))
		for i := range r.Rows() {
			if rng.Float64() < share {
				d.X = append(d.X, r.Row(i)...)
				d.Y = append(d.Y, r.Y[i])
				d.W = append(d.W, r.W[i]*factor)
			}
		}
	}
	d.NormaliseWeights()
	return d
}
