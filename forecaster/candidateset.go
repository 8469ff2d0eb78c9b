package forecaster

import (
	"math"
	"slices"

	"headstart.dev/headstart/forecaster/internal/boost"
	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A candidateSet is the candidates of one fit.
type candidateSet struct {
	features   featurizer
	candidates []candidate
	fitted     bool // whether there was enough history to fit regressions
	local      bool // whether there was enough for those that begin from nothing
	origin     origin
	smoothed   []smoothed // further candidates
	inputs     globalInputs
	globals    *global.Model // nil without one
	errors     []float64     // of the first candidate, ascending; for the compared contracts only
}

const (
	// maxRows bounds the lead windows that are fitted to; longer histories are thinned evenly.
	maxRows = 6500
	// trialRows is the same for candidates that only estimate held-out history.
	trialRows = 3000
)

// newShortageCandidates fits the candidates that a shortage cost chooses between. It fits to at
// most rows of the lead windows that were complete before step end.
// It fits the same candidates as like, when that is not nil.
func newShortageCandidates(h *past.History, f featurizer, end, rows int, o Options, like *candidateSet) *candidateSet {
	s := &candidateSet{features: f}
	d := newDesign(h, f, end, rows)
	if d.Rows() >= 3*d.P && (like == nil || like.local) {
		s.fitted, s.local = true, true
		s.candidates = fittedCandidates(d, o.Contract.level(), !o.lean)
		if len(o.Compare) > 0 {
			s.keepErrors(d)
		}
	}
	s.addGlobal(h, d, o, like == nil || like.fitted)
	if s.fitted {
		s.origin.features = make([]float64, d.P)
	}
	s.candidates = append(s.candidates, simpleCandidates(f)...)
	s.candidates = slices.DeleteFunc(s.candidates, func(c candidate) bool { return !o.has(c.name()) })
	s.addSmoothed(o)
	if like != nil {
		s.continueAverages(like)
	}
	return s
}

// newLevelCandidate fits the one candidate that a service level is calibrated on. The fit starts
// from near, which is the same fitted to other rows, when that is not nil.
//
// With few rows it is the global model.
func (st *state) newLevelCandidate(d *regress.Design, tau float64, near *candidateSet) *candidateSet {
	s := &candidateSet{features: st.features}
	if d.Rows() < 3*d.P {
		s.candidates = []candidate{persistence{}}
		if s.useGlobal(st.history, st.opts) {
			s.candidates = []candidate{globalEstimate{globalName, nearestLevel(tau)}}
		}
		return s
	}
	var start []float64
	if near != nil && near.fitted {
		start = near.candidates[0].(linear).beta
	}
	s.fitted = true
	s.origin.features = make([]float64, d.P)
	for i := range d.W {
		d.W[i] = 1
	}
	s.candidates = []candidate{linear{regressionName, d.Quantile(tau, ridgeFor(d.Rows()), start)}}
	return s
}

// meanError returns the mean absolute error of the first candidate on some of the rows that it was
// fitted to.
func (s *candidateSet) meanError(d *regress.Design) float64 {
	var sum, n float64
	for i := 0; i < d.Rows(); i += 7 {
		sum += math.Abs(d.Y[i] - s.candidates[0].estimate(nil, &origin{features: d.Row(i)}))
		n++
	}
	if n == 0 {
		return 0.1
	}
	return sum / n
}

// keepErrors keeps the errors of the first candidate on some of the rows that it was fitted to.
func (s *candidateSet) keepErrors(d *regress.Design) {
	s.errors = s.errors[:0]
	for i := 0; i < d.Rows(); i += 3 {
		s.errors = append(s.errors, d.Y[i]-s.candidates[0].estimate(nil, &origin{features: d.Row(i)}))
	}
	slices.Sort(s.errors)
}

// distance returns how far the quantile that a contract asks for lies above that of another one, on
// the log scale. It is 0 when too little history was fitted to.
func (s *candidateSet) distance(from, to Contract) float64 {
	if len(s.errors) == 0 {
		return 0
	}
	by := stats.Quantile(s.errors, to.level()) - stats.Quantile(s.errors, from.level())
	return stats.Clamp(by, -maxChange, maxChange)
}

// estimates writes the estimate of each candidate from step i on to out.
func (s *candidateSet) estimates(h *past.History, i int, out []float64) []float64 {
	s.origin.step = i
	if s.fitted {
		s.features.fill(h, i, s.origin.features)
	}
	if s.globals != nil {
		var inputs [global.Inputs]float64
		s.inputs.fill(h, i, inputs[:])
		s.origin.global = s.globals.Estimate(inputs[:])
	}
	out = out[:0]
	for _, c := range s.candidates {
		q := c.estimate(h, &s.origin)
		if math.IsNaN(q) {
			q = 0
		}
		out = append(out, stats.Clamp(q, -s.features.bound, s.features.bound))
	}
	level := h.LevelAt(i)
	for k := range s.smoothed {
		out = append(out, stats.Clamp(s.smoothed[k].next(level, out[s.smoothed[k].of]), -s.features.bound, s.features.bound))
	}
	return out
}

// size returns the number of candidates.
func (s *candidateSet) size() int { return len(s.candidates) + len(s.smoothed) }

// names returns the names of the candidates.
func (s *candidateSet) names() []string {
	out := make([]string, 0, s.size())
	for _, c := range s.candidates {
		out = append(out, c.name())
	}
	for _, c := range s.smoothed {
		out = append(out, c.label)
	}
	return out
}

// newDesign gathers at most most of the lead windows that were complete before step end, newest
// first. A row is the features before a window, and how far its maximum rose above the level.
func newDesign(h *past.History, f featurizer, end, most int) *regress.Design {
	p := f.size()
	first := f.first()
	last := min(end-1-h.Lead, h.Windows()-1)
	stride := max(1, (last-first+most)/most)
	rows := max(0, (last-first)/stride+1)
	d := &regress.Design{
		P: p, Stride: stride,
		X: make([]float64, 0, rows*p), Y: make([]float64, 0, rows), W: make([]float64, 0, rows),
	}
	row := make([]float64, p)
	for i := last; i >= first; i -= stride {
		if !h.ObservedAt(i) {
			continue
		}
		f.fill(h, i, row)
		d.X = append(d.X, row...)
		d.At = append(d.At, int32(i))
		d.Y = append(d.Y, round(stats.Clamp(h.WindowMaxAt(i)-h.LevelAt(i), -f.bound, f.bound)))
		// A missed unit costs the same at any hour, so busy hours count for more. They do not count
		// in full proportion, since the fit would then depend on a few of them.
		d.W = append(d.W, math.Exp(h.LevelAt(i)/2))
	}
	d.NormaliseWeights()
	return d
}

// ridgeFor returns the ridge penalty for so many rows.
func ridgeFor(rows int) float64 { return 1 + 0.002*float64(rows) }

// tailFactor divides 1 − tau between the two levels of quantile regressions.
const tailFactor = 2.7

// fittedCandidates fits regressions at level tau and above it, and forests if asked to.
func fittedCandidates(d *regress.Design, tau float64, forests bool) []candidate {
	ridge := ridgeFor(d.Rows())
	main := linear{regressionName, d.Quantile(tau, ridge, nil)}
	out := []candidate{
		main,
		linear{regressionName + ", high", d.Quantile(1-(1-tau)/tailFactor, ridge, main.beta)},
	}
	if forests {
		b := boost.New(d, tau)
		out = append(out,
			boosted{"trees on the regression", main.beta, b.Fit(main.beta)},
			boosted{"trees", nil, b.Fit(nil)})
	}
	return out
}

// simpleCandidates returns those that need no fitting.
func simpleCandidates(f featurizer) []candidate {
	out := []candidate{persistence{}, dampedTrend{}}
	if f.week > 0 && len(f.weeks) > 1 {
		out = append(out, profile{"weekly profile", f.day, f.weeks})
	}
	if f.day > 0 {
		out = append(out,
			profile{"daily profile", f.day, f.days},
			seasonalGrowth{"yesterday, at today's level", f.days[0]})
	}
	if f.sub > f.lead {
		out = append(out, profile{"inner profile", f.sub, []int{f.sub, 2 * f.sub, 3 * f.sub}})
	}
	return out
}

// level returns the quantile of the lead-window maximum that candidates are fitted at. A lead
// window is short more often than a step of it: at shortage cost 20 the best policies leave 1 step
// in 20 short, and about 1 window in 8.
func (c Contract) level() float64 {
	if c.ShortageCost > 0 {
		return stats.Clamp(1-3/c.ShortageCost, 0.5, 0.999)
	}
	return c.ServiceLevel
}
