package capacity

import (
	"math"
	"time"
)

const (
	binCount  = 128  // together they cover loads from the highest down to a 12th of it
	binRatio  = 1.02 // of the bounds of a bin
	cellCount = 36
	cellRatio = 1.15 // of the bounds of a cell
	topCell   = 27   // the first cell above the objective
	halfLife  = 7 * 24 * time.Hour
	// heaviest is the weight of a sample at which all weights are divided by it. Weights grow with
	// time instead of shrinking, so that a sample costs the same however many bins there are.
	heaviest = 1 << 20
)

// A summary holds, by bins of load per replica, how often the objective was met and missed, and a
// histogram of latencies. What is older counts less: half as much each week.
type summary struct {
	began  time.Time
	used   bool
	anchor float64 // load at the lower bound of bin 0 in absolute numbering
	lowest int     // absolute number of bins[0]
	weight float64 // of a sample now
	bins   [binCount]bin
	// below counts the steps in a row with loads below all bins, since belowSince.
	below      int
	belowSince time.Time
}

// bin is the evidence at one load.
type bin struct {
	met, missed float32
	cells       [cellCount]float32 // latencies relative to the objective, in logs
}

func (s *summary) forget(now time.Time) {
	if !s.used {
		s.began, s.weight = now, 1
		return
	}
	s.weight = math.Exp2(float64(now.Sub(s.began)) / float64(halfLife))
	if s.weight < heaviest {
		return
	}
	for i := range s.bins {
		b := &s.bins[i]
		b.met, b.missed = float32(float64(b.met)/s.weight), float32(float64(b.missed)/s.weight)
		for c := range b.cells {
			b.cells[c] = float32(float64(b.cells[c]) / s.weight)
		}
	}
	s.began, s.weight = now, 1
}

// doubt makes all that was learned so far count for next to nothing: the service changed.
func (s *summary) doubt() {
	const factor = 1000
	for i := range s.bins {
		b := &s.bins[i]
		b.met, b.missed = b.met/factor, b.missed/factor
		for c := range b.cells {
			b.cells[c] /= factor
		}
	}
}

// rank returns the share of the latencies seen at about a load that are below a latency. It reports
// whether they are enough to tell.
func (s *summary) rank(load, latency float64) (float64, bool) {
	const about, enough = 2, 100
	if !s.used {
		return 0, false
	}
	i, cell := s.bin(load), cellOf(latency)
	below, all := 0.0, 0.0
	for j := max(i-about, 0); j <= min(i+about, binCount-1); j++ {
		b := &s.bins[j]
		for c := range cell {
			below += float64(b.cells[c])
		}
		below += float64(b.cells[cell]) / 2
		all += b.steps()
	}
	return below / max(all, 1e-300), all >= enough*s.weight
}

// above returns the share of the steps with a latency above a multiple of the objective.
func (s *summary) above(latency float64) float64 {
	n, all := s.weight, 2*s.weight
	from := cellOf(latency)
	for i := range s.bins {
		b := &s.bins[i]
		all += b.steps()
		for _, c := range b.cells[from+1:] {
			n += float64(c)
		}
	}
	return n / max(all, 1e-300)
}

// top returns the highest bin with evidence, or the lowest where there is none.
func (s *summary) top() int {
	for i := binCount - 1; i > 0; i-- {
		if s.bins[i].steps() > 0 {
			return i
		}
	}
	return 0
}

// bin returns the place of a load in bins, which may be outside.
func (s *summary) bin(load float64) int {
	ratio := min(max(load/s.anchor, 1e-300), 1e300)
	return int(math.Floor(math.Log(ratio)/math.Log(binRatio))) - s.lowest
}

// add counts a step with a load per replica and a latency relative to the objective.
func (s *summary) add(load, latency float64) {
	if !s.used {
		s.used, s.anchor, s.lowest = true, load, -binCount+binCount/8
	}
	i := s.bin(load)
	if i >= binCount {
		s.shift(i - binCount + 1)
		i = binCount - 1
	}
	if i < 0 {
		return // a load so low says nothing about the limit
	}
	b := &s.bins[i]
	if latency <= 1 {
		b.met += float32(s.weight)
	} else {
		b.missed += float32(s.weight)
	}
	b.cells[cellOf(latency)] += float32(s.weight)
}

// shift makes room for n bins at the top.
func (s *summary) shift(n int) {
	kept := 0
	if n < binCount {
		kept = copy(s.bins[:], s.bins[n:])
	}
	clear(s.bins[kept:])
	s.lowest += n
}

// load returns the lower bound of bin i; that of bin i+1 is its upper one.
func (s *summary) load(i int) float64 {
	return s.anchor * math.Exp(float64(i+s.lowest)*math.Log(binRatio))
}

// cellOf returns the cell of a latency relative to the objective. What is exactly at the objective
// is below it.
func cellOf(latency float64) int {
	c := math.Ceil(math.Log(max(latency, 1e-300))/math.Log(cellRatio)) + topCell - 1
	return int(min(max(c, 0), cellCount-1))
}
