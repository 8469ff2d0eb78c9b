package capacity

import (
	"cmp"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// A group is the evidence at neighbouring loads that are enough to tell a quantile.
type group struct {
	load     float64 // per replica, the mean over the steps
	steps    float64
	quantile float64 // latency relative to the objective, at the share to attain
}

const (
	// widest is how far the loads of a group are apart at most.
	widest = 1.08
	// fewest steps of a group tell a quantile at all. More of them tell it better.
	fewest = 40
	// farAbove is a latency relative to the objective beyond which the law is not fitted. Above
	// saturation, latency depends on how long the overload lasts.
	farAbove = 1.6
	// farthest is how far beyond the highest loads the law is trusted, as a factor. Where the limit
	// lies farther, the answer is that the capacity is at least what was seen.
	farthest = 1.25
)

// groups returns the evidence in order of load, beginning at the highest ones: these matter most, so
// that no group of lower loads takes steps from them.
func (s *summary) groups(attain float64) []group {
	enough := min(max(3/(1-attain), 100), 300) * s.weight
	var out []group
	for top := binCount - 1; top >= 0; {
		var sum bin
		load, i := 0.0, top
		for ; i >= 0; i-- {
			n := float64(s.bins[i].met + s.bins[i].missed)
			if n == 0 && sum.steps() == 0 {
				top--
				continue
			}
			if sum.steps() >= enough || s.load(top+1) > s.load(i)*widest && sum.steps() > 0 {
				break
			}
			sum.merge(&s.bins[i])
			load += n * math.Sqrt(s.load(i)*s.load(i+1))
		}
		if n := sum.steps(); n >= fewest*s.weight {
			out = append(out, group{load: load / n, steps: n / s.weight, quantile: sum.tail(attain, s.weight)})
		}
		top = i
	}
	for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
		out[i], out[j] = out[j], out[i]
	}
	return out
}

func (b *bin) steps() float64 { return float64(b.met) + float64(b.missed) }

// tail returns the quantile of the latency at a level. Where the steps are too few for that level,
// it is extrapolated in the log of the latency, from the highest level for which they are enough.
func (b *bin) tail(level, weight float64) float64 {
	highest := 1 - 3*weight/b.steps()
	if level <= highest {
		return b.quantile(level)
	}
	normal := distuv.UnitNormal
	median, high := b.quantile(0.5), b.quantile(highest)
	return median * math.Pow(high/median, normal.Quantile(level)/normal.Quantile(highest))
}

// A crossing is the load at which the law meets the objective.
type crossing struct {
	load  float64
	lower float64 // a tenth of the weight of the laws lies below
	upper float64 // a fifth of it lies above
	// rise is how far latency has risen at the last group but one, so that no single group decides. It
	// is a share of the way from the lowest that was seen to the objective.
	rise float64
}

// cross fits laws of many shapes to the groups, and returns where they meet the objective. Each law
// is weighed by how well it fits. It reports whether the groups tell a law at all.
func cross(groups []group) (crossing, bool) {
	groups = fitting(groups)
	laws, best := laws(groups)
	if len(laws) == 0 {
		return crossing{}, false
	}
	top := len(groups)
	out := average(laws, best, groups[top-1].load, top)
	base := groups[0].quantile
	for _, g := range groups {
		base = min(base, g.quantile)
	}
	out.rise = 1
	if base < 1 {
		out.rise = (best.at(groups[top-2].load) - base) / (1 - base)
	}
	return out, true
}

// fitting returns the groups that a law is fitted to: those below the first one that is far above
// the objective.
func fitting(groups []group) []group {
	for i, g := range groups {
		if g.quantile > farAbove {
			return groups[:i]
		}
	}
	return groups
}

// laws returns laws of many shapes that are fitted to the groups, and the best one of them. There
// is none where the groups are too few.
func laws(groups []group) (all []fitted, best fitted) {
	best.loss = math.Inf(1)
	if len(groups) < 4 {
		return nil, best
	}
	highest := groups[len(groups)-1].load
	for _, p := range []int{1, 2, 4, 8} {
		for _, ahead := range []float64{
			0.01, 0.03, 0.05, 0.08, 0.12, 0.18, 0.26, 0.4, 0.6, 1, 2, 8,
		} {
			if l, ok := fit(groups, highest*(1+ahead), p); ok {
				all = append(all, l)
				if l.loss < best.loss {
					best = l
				}
			}
		}
	}
	return all, best
}

// weight returns how well the law fits, relative to the best one.
func (l *fitted) weight(best fitted, groups int) float64 {
	const precision = 0.02 // of a quantile at best: the cells of the histograms
	variance := max(best.loss/max(float64(groups)-4, 1), precision*precision)
	return math.Exp(-(l.loss - best.loss) / (2 * variance))
}

// average weighs the laws by how well they fit.
func average(laws []fitted, best fitted, highest float64, groups int) crossing {
	type weighed struct{ load, weight float64 }
	var all []weighed
	sum, mean := 0.0, 0.0
	for _, l := range laws {
		w := l.weight(best, groups)
		if w < 1e-6 {
			continue
		}
		load := l.cross(highest)
		all = append(all, weighed{load, w})
		sum += w
		mean += w * math.Log(load)
	}
	slices.SortFunc(all, func(a, b weighed) int { return cmp.Compare(a.load, b.load) })
	quantile := func(level float64) float64 {
		below := 0.0
		for _, a := range all {
			if below += a.weight; below >= level*sum {
				return a.load
			}
		}
		return all[len(all)-1].load
	}
	load := math.Exp(mean / sum)
	return crossing{load: load, lower: min(quantile(0.1), load), upper: max(quantile(0.8), load)}
}
