package forecaster

import (
	"math"
	"time"
)

// A track is the history as the models see it: gaps held, logs taken, running sums and window maxima at hand. It grows step by
// step; what it says about step t uses the steps before t alone.
type track struct {
	clock
	lead  int
	width int     // steps that the level is averaged over
	soft  float64 // added to demand before logs are taken, so that quiet hours do not dominate
	x     []float64
	cum   []float64 // cum[i] = sum of x[:i]
	peak  []float64 // peak[i] = log of the maximum over the lead window that begins at i
	level []float64 // level[i] = log of the mean over the width steps before i
	known []bool
}

// softShare is the share of mean demand that is added before logs are taken.
const softShare = 0.05

func newTrack(start time.Time, o Options, room int, mean float64) *track {
	t := &track{
		clock: newClock(start, o.Step, o.Location), lead: o.Lead, width: max(1, (o.Lead+2)/3), soft: softShare * mean,
		x: make([]float64, 0, room), cum: make([]float64, 1, room+1), peak: make([]float64, 0, room),
		level: make([]float64, 1, room+1), known: make([]bool, 0, room),
	}
	if t.soft <= 0 {
		t.soft = 1e-9
	}
	t.level[0] = math.Log(t.soft)
	return t
}

func (t *track) n() int { return len(t.x) }

// log is the scale on which demand is modelled.
func (t *track) log(v float64) float64 { return math.Log(v + t.soft) }

// exp undoes log.
func (t *track) exp(g float64) float64 { return max(0, math.Exp(min(g, 600))-t.soft) }

// mean returns the mean of the w steps before step i, or of as many as there are.
func (t *track) mean(i, w int) float64 {
	j := max(0, i-w)
	if j >= i {
		return 0
	}
	return max(0, (t.cum[i]-t.cum[j])/float64(i-j))
}

// push appends one step; NaN holds the last known value.
func (t *track) push(v float64) {
	known := !math.IsNaN(v)
	n := len(t.x)
	if !known {
		v = 0
		if n > 0 {
			v = t.x[n-1]
		}
	}
	t.x = append(t.x, v)
	t.known = append(t.known, known)
	t.cum = append(t.cum, t.cum[n]+v)
	n++
	t.level = append(t.level, t.log(t.mean(n, t.width)))
	if n > t.lead {
		top := v
		for _, u := range t.x[n-1-t.lead:] {
			top = max(top, u)
		}
		t.peak = append(t.peak, t.log(top))
	}
}

// last returns the last step's value, held over gaps; zero where nothing is known.
func (t *track) last() float64 {
	if len(t.x) == 0 {
		return 0
	}
	return t.x[len(t.x)-1]
}
