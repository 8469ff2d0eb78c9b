package forecaster

import (
	"math"
	"time"

	"headstart.dev/headstart/forecaster/internal/calendar"
	"headstart.dev/headstart/forecaster/internal/demand"
	"headstart.dev/headstart/forecaster/internal/season"
	"headstart.dev/headstart/forecaster/internal/stats"
)

// A track is the history as the models see it: gaps filled, logs taken, running sums and window maxima at hand. It grows step by
// step; what it says about step t uses the steps before t alone.
type track struct {
	calendar.Clock
	lead  int
	day   int               // a short season that gaps are filled from; 0 where there is none
	width int               // steps that the level is averaged over
	unit  float64           // mean demand; everything below is in units of it
	soft  float64           // added to demand before logs are taken, so that quiet hours do not dominate
	top   float64           // most demand so far
	days  *calendar.Effects // effects of named days, taken off; nil for none
	zeros bool              // whether zeros are demand; where they are not, a run of them is an outage
	still bool              // whether shifts of the level are not looked for
	idle  int               // zeros in a row
	gap   int               // filled steps in a row
	ratio float64           // demand before the gap, relative to a season earlier

	x     []float64
	cum   []float64 // cum[i] = sum of x[:i]
	peak  []float64 // peak[i] = log of the maximum over the lead window that begins at i
	level []float64 // level[i] = log of the mean over the width steps before i
	sound []bool    // whether x[i] was observed
}

const (
	zeroShare = 0.02 // where zeros are rarer than this, they are outages
	zeroAt    = 1e-3 // demand below this share of the mean counts as zero

	sparseShare = 0.5  // where fewer of the steps than this have demand, logs begin at the demand of those that do
	sparseSoft  = 0.25 // share of it that is added then
)

func newTrack(start time.Time, o Options, raw []float64, room int, p season.Periods) *track {
	days := calendar.Learn(o.calendarDays(), start, o.Step, raw, p.Day)
	unit := stats.MeanKnown(raw)
	t := &track{
		Clock: calendar.NewClock(start, o.Step, o.Location), lead: o.Lead, day: p.Day, days: days, width: max(1, (o.Lead+2)/3), unit: unit, soft: demand.LogOffset,
		still: !o.has(partShifts),
		zeros: share(raw, func(v float64) bool { return v <= zeroAt*unit }) > zeroShare,
		x:     make([]float64, 0, room), cum: make([]float64, 1, room+1), peak: make([]float64, 0, room),
		level: make([]float64, 1, room+1), sound: make([]bool, 0, room),
	}
	if unit <= 0 {
		t.unit, t.zeros = 1, true
	}
	if busy := share(raw, func(v float64) bool { return v > zeroAt*unit }); busy < sparseShare {
		t.soft = sparseSoft / math.Max(busy, zeroAt)
	}
	t.level[0] = math.Log(t.soft)
	for _, v := range raw {
		t.push(v)
	}
	return t
}

// share returns the share of the known values for which f holds.
func share(values []float64, f func(float64) bool) float64 {
	var c tally
	for _, v := range values {
		if !math.IsNaN(v) {
			c.add(f(v))
		}
	}
	return c.held / math.Max(c.n, 1)
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

// push appends one step; NaN is a gap.
func (t *track) push(v float64) {
	n := len(t.x)
	v = t.normal(v * math.Exp(-t.days.At(n)))
	sound := !math.IsNaN(v)
	if sound && t.outage(v) {
		sound = false
	}
	if sound {
		t.gap = 0
	} else {
		v = t.fill(n)
	}
	t.x = append(t.x, v)
	t.top = math.Max(t.top, v)
	t.sound = append(t.sound, sound)
	t.cum = append(t.cum, t.cum[n]+v)
	n++
	t.level = append(t.level, t.log(t.mean(n, t.width)))
	if n > t.lead {
		t.peak = append(t.peak, t.log(stats.Max(t.x[n-1-t.lead:])))
	}
}

// maxNormal bounds demand, in units of its mean.
const maxNormal = 1e12

// normal returns demand in units of its mean. It is rounded, so that the same series in another unit gives the same numbers to the
// last bit: trees and whole replicas would make much of the smallest difference.
func (t *track) normal(v float64) float64 {
	return min(maxNormal, math.Round(v/t.unit*1e9)/1e9)
}

// outage says whether v is a zero that nobody should learn from: rare in the history, and not yet lasting for a day.
func (t *track) outage(v float64) bool {
	if t.zeros || v > zeroAt {
		t.idle = 0
		return false
	}
	t.idle++
	long := t.day
	if long == 0 {
		long = int(max(24*time.Hour/t.Step, 10))
	}
	return t.idle < long
}

// fill returns what step n probably was: the last known value at first, then what the season would have made of it.
func (t *track) fill(n int) float64 {
	if n == 0 {
		return 0
	}
	if t.gap == 0 {
		t.ratio = 0
		if j := n - t.day; t.day > 0 && j > 0 {
			t.ratio = stats.Clamp(math.Exp(t.level[n]-t.level[j]), 0.2, 5)
		}
	}
	t.gap++
	if j := t.Back(n, t.day); t.ratio > 0 && t.gap > t.lead+1 && j >= 0 && j < n {
		// What was filled once is not scaled again: a gap longer than a season would drift.
		if !t.sound[j] {
			return t.x[j]
		}
		return min(t.ratio*t.x[j], maxNormal)
	}
	return t.x[n-1]
}

// last returns the last step's value, as filled; zero where nothing is known.
func (t *track) last() float64 {
	if len(t.x) == 0 {
		return 0
	}
	return t.x[len(t.x)-1]
}

// prefix makes view the track as it was before step i.
func (t *track) prefix(i int, view *track) *track {
	view.x, view.cum, view.level, view.sound = t.x[:i], t.cum[:i+1], t.level[:i+1], t.sound[:i]
	view.peak = t.peak[:max(0, min(i-t.lead, len(t.peak)))]
	return view
}
