package forecaster

import (
	"math"
	"slices"
	"time"

	"headstart.dev/headstart/forecaster/internal/global"
	"headstart.dev/headstart/forecaster/internal/past"
	"headstart.dev/headstart/forecaster/internal/regress"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A globalEstimate is the global model's estimate at one of its levels.
type globalEstimate struct {
	label string
	level int // index of global.Levels
}

func (c globalEstimate) name() string                                { return c.label }
func (c globalEstimate) estimate(_ *past.History, o *origin) float64 { return o.global[c.level] }

// An adaptedGlobal is the global model's estimate, corrected by a regression on what it left to
// explain in the series itself.
type adaptedGlobal struct {
	label string
	level int
	beta  []float64
}

func (c adaptedGlobal) name() string { return c.label }

func (c adaptedGlobal) estimate(_ *past.History, o *origin) float64 {
	return o.global[c.level] + stats.Dot(o.features, c.beta)
}

// Names of candidates that others are derived from.
const (
	globalName     = "global model"
	adaptedName    = "global model, adapted"
	regressionName = "quantile regression"
)

const (
	// longestGlobal is the longest step that the global model was trained on.
	longestGlobal = 10 * time.Minute
	// leastAdapted and mostAdapted bound the rows that a correction is fitted to.
	leastAdapted, mostAdapted = 6, 1200
	// adaptedRidge holds a correction near zero: its own evidence takes over after about so many rows.
	adaptedRidge = 250
)

// addGlobal adds the global model, and its corrections by the rows of d when adapt is set.
func (s *candidateSet) addGlobal(h *past.History, d *regress.Design, o Options, adapt bool) {
	if !s.useGlobal(h, o) {
		return
	}
	levels := []int{nearestLevel(o.Contract.level())}
	if top := global.Outputs - 1; levels[0] != top {
		levels = append(levels, top)
	}
	names := [2]string{"", ", high"}
	if adapt && d.Rows() >= leastAdapted {
		s.fitted = true
		rows := s.leftToExplain(h, d)
		for k, level := range levels {
			s.candidates = append(s.candidates, newAdapted(adaptedName+names[k], level, d, rows))
		}
	}
	for k, level := range levels {
		s.candidates = append(s.candidates, globalEstimate{globalName + names[k], level})
	}
}

// useGlobal makes the global model available to the candidates. It reports whether there is one for
// steps of this length.
func (s *candidateSet) useGlobal(h *past.History, o Options) bool {
	if o.Global == nil || !o.has(partGlobal) || h.Step > longestGlobal {
		return false
	}
	s.globals, s.inputs = o.Global, newGlobalInputs(h.Step, h.Lead)
	return true
}

// nearestLevel returns the index of the level of the global model that is nearest to a quantile.
func nearestLevel(quantile float64) int {
	best, levels := 0, global.Levels()
	for k, level := range levels {
		if math.Abs(level-quantile) < math.Abs(levels[best]-quantile) {
			best = k
		}
	}
	return best
}

// newAdapted fits a correction of the global model at one of its levels to rows of d.
func newAdapted(name string, level int, d *regress.Design, rows []explained) adaptedGlobal {
	own := &regress.Design{P: d.P, Stride: d.Stride}
	for _, r := range rows {
		own.X = append(own.X, d.Row(r.row)...)
		own.Y = append(own.Y, d.Y[r.row]-r.global[level])
		own.W = append(own.W, d.W[r.row])
	}
	own.NormaliseWeights()
	return adaptedGlobal{name, level, own.Correction(global.Levels()[level], adaptedRidge)}
}

// An explained row of a design has the global model's estimates for it.
type explained struct {
	row    int
	global [global.Outputs]float64
}

// leftToExplain returns the global model's estimates for some rows of d.
func (s *candidateSet) leftToExplain(h *past.History, d *regress.Design) []explained {
	stride := max(1, (d.Rows()+mostAdapted-1)/mostAdapted)
	out := make([]explained, 0, d.Rows()/stride+1)
	var inputs [global.Inputs]float64
	for i := 0; i < d.Rows(); i += stride {
		s.inputs.fill(h, int(d.At[i]), inputs[:])
		out = append(out, explained{i, s.globals.Estimate(inputs[:])})
	}
	return out
}

// A smoothed candidate is an exponential average of another one's demand.
type smoothed struct {
	label string
	of    int // index of the other
	share float64
	value float64 // on the scale of the models; 0 before the first
}

// next returns the estimate relative to the level, given the other's.
func (c *smoothed) next(level, estimate float64) float64 {
	now := math.Exp(level + estimate)
	if c.value == 0 {
		c.value = now
	}
	c.value += c.share * (now - c.value)
	return math.Log(c.value) - level
}

// addSmoothed adds averages of the global model, and of the candidate that is fitted to the most.
func (s *candidateSet) addSmoothed(o Options) {
	if !o.has(partSmoothed) {
		return
	}
	if k := s.index(globalName); k >= 0 {
		s.smooth(k, globalName+", smoothed", 0.5, 0.25)
	}
	for _, name := range []string{adaptedName, regressionName, globalName} {
		if k := s.index(name); k >= 0 {
			s.smooth(k, name+", averaged", 0.5, 0.25, 0.1)
			return
		}
	}
}

// smooth adds averages of candidate k, one for each share of the newest estimate in it.
func (s *candidateSet) smooth(k int, label string, shares ...float64) {
	for _, share := range shares {
		s.smoothed = append(s.smoothed, smoothed{label: label, of: k, share: share})
	}
}

// continueAverages lets averages go on where those of an earlier fit, which saw the same steps, are.
func (s *candidateSet) continueAverages(earlier *candidateSet) {
	for k := range s.smoothed {
		c := &s.smoothed[k]
		for _, before := range earlier.smoothed {
			if before.label == c.label && before.share == c.share {
				c.value = before.value
			}
		}
	}
}

// index returns the index of the candidate with a name; −1 without one.
func (s *candidateSet) index(name string) int {
	return slices.IndexFunc(s.candidates, func(c candidate) bool { return c.name() == name })
}
