package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/boost"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A candidate estimates, from a moment, what the maximum over the lead window will not exceed, as a log ratio to the level.
type candidate interface {
	name() string
	estimate(t *track, m *moment) float64
}

// A moment is a step about to begin: the features are shared by all candidates.
type moment struct {
	i   int       // the step; what is known lies before it
	row []float64 // features; nil where the history is too short to learn from
}

// A family is the candidates that were fitted together.
type family struct {
	features   featurizer
	candidates []candidate
	learned    bool // whether regressions are among them
	moment     moment
}

// maxRows bounds how many rows are learned from; longer histories are thinned evenly.
const maxRows = 6500

// trialRows is the same for a family that is only tried on held-out history.
const trialRows = 3000

// learnFamily fits the candidates that a shortage cost chooses between to so many, at most, of the lead windows that were complete before
// step end.
func learnFamily(t *track, f featurizer, end, rows int, o Options) *family {
	fam := &family{features: f}
	if d := buildDesign(t, f, end, rows); d.Rows() >= 3*d.P {
		fam.learned = true
		fam.moment.row = make([]float64, d.P)
		fam.candidates = tradeoffCandidates(d, f, o.Contract.level())
	}
	fam.candidates = append(fam.candidates, simpleCandidates(f)...)
	fam.candidates = slices.DeleteFunc(fam.candidates, func(c candidate) bool { return !o.has(c.name()) })
	return fam
}

// promiseFamily is the one estimate that a service level is calibrated on, fitted to d. It starts from near, the same fitted to other
// rows, where that is not nil.
func promiseFamily(d *regress.Design, f featurizer, tau float64, near *family) *family {
	fam := &family{features: f}
	if d.Rows() < 3*d.P {
		fam.candidates = []candidate{hold{}}
		return fam
	}
	var start []float64
	if near != nil && near.learned {
		start = near.candidates[0].(linear).beta
	}
	fam.learned = true
	fam.moment.row = make([]float64, d.P)
	for i := range d.W {
		d.W[i] = 1
	}
	fam.candidates = []candidate{linear{"quantile regression", d.Quantile(tau, ridgeOf(d.Rows()), start)}}
	return fam
}

// spread returns the mean error of the family's first candidate on some of the rows that it was fitted to.
func (f *family) spread(d *regress.Design) float64 {
	var sum, n float64
	for i := 0; i < d.Rows(); i += 7 {
		sum += math.Abs(d.Y[i] - f.candidates[0].estimate(nil, &moment{row: d.Row(i)}))
		n++
	}
	if n == 0 {
		return 0.1
	}
	return sum / n
}

// estimates writes what each candidate says before step i.
func (f *family) estimates(t *track, i int, out []float64) []float64 {
	f.moment.i = i
	if f.learned {
		f.features.fill(t, i, f.moment.row)
	}
	out = out[:0]
	for _, c := range f.candidates {
		q := c.estimate(t, &f.moment)
		if math.IsNaN(q) {
			q = 0
		}
		out = append(out, stats.Clamp(q, -f.features.reach, f.features.reach))
	}
	return out
}

// buildDesign gathers the lead windows that were complete before step end, newest first, with what was known before each.
func buildDesign(t *track, f featurizer, end, most int) *regress.Design {
	p := f.size()
	first := f.first()
	last := min(end-1-t.lead, len(t.peak)-1)
	stride := max(1, (last-first+most)/most)
	rows := max(0, (last-first)/stride+1)
	d := &regress.Design{P: p, X: make([]float64, 0, rows*p), Y: make([]float64, 0, rows), W: make([]float64, 0, rows), Stride: stride}
	row := make([]float64, p)
	for i := last; i >= first; i -= stride {
		if !t.sound[i] {
			continue
		}
		f.fill(t, i, row)
		d.X = append(d.X, row...)
		d.At = append(d.At, int32(i))
		d.Y = append(d.Y, grain(stats.Clamp(t.peak[i]-t.level[i], -f.reach, f.reach)))
		// A missed unit costs the same at any hour: busy hours count for more, but not in full proportion, since that would learn
		// from a few of them.
		d.W = append(d.W, math.Exp(t.level[i]/2))
	}
	d.NormaliseWeights()
	return d
}

// ridgeOf is the penalty that so many rows deserve.
func ridgeOf(rows int) float64 { return 1 + 0.002*float64(rows) }

// tradeoffCandidates are those between which a shortage cost chooses, fitted around level tau.
func tradeoffCandidates(d *regress.Design, f featurizer, tau float64) []candidate {
	ridge := ridgeOf(d.Rows())
	main := linear{"quantile regression", d.Quantile(tau, ridge, nil)}
	out := []candidate{
		main,
		linear{"quantile regression, low", d.Quantile(math.Max(0.05, 1-2.7*(1-tau)), ridge, main.beta)},
		linear{"quantile regression, high", d.Quantile(1-(1-tau)/2.7, ridge, main.beta)},
	}
	b := boost.New(d, tau)
	out = append(out, boosted{"trees on the regression", main.beta, b.Fit(main.beta)}, boosted{"trees", nil, b.Fit(nil)})
	if f.day > 0 {
		whole := slices.Clone(d.W)
		for i := range d.W {
			d.W[i] *= math.Exp2(-float64(i*d.Stride) / float64(4*f.day))
		}
		out = append(out, linear{"quantile regression, recent", d.Quantile(tau, ridge, main.beta)})
		copy(d.W, whole)
	}
	return out
}

// simpleCandidates need no fitting.
func simpleCandidates(f featurizer) []candidate {
	out := []candidate{hold{}, trend{}}
	if f.week > 0 && len(f.weeks) > 1 {
		out = append(out, profile{"weekly profile", f.day, f.weeks})
	}
	if f.day > 0 {
		out = append(out, profile{"daily profile", f.day, f.days}, growthOf{"yesterday, at today's level", f.days[0]})
	}
	if f.sub > f.lead {
		out = append(out, profile{"inner profile", f.sub, []int{f.sub, 2 * f.sub, 3 * f.sub}})
	}
	return out
}

// level returns the quantile of the lead-window maximum that estimates are fitted at. A lead window is short more often than a step
// of it: at shortage cost 20 the best policies leave 1 step in 20 short, and about 1 window in 8.
func (c Contract) level() float64 {
	if c.ShortageCost > 0 {
		return stats.Clamp(1-3/c.ShortageCost, 0.5, 0.999)
	}
	return c.ServiceLevel
}
