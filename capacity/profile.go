package capacity

import "math"

// A profile is the latency that is usual at each load near the limit, relative to the objective. It
// is tabled over the log of the load, because a change of the service moves it along that axis.
type profile struct {
	limit  float64 // load at which the objective holds; 0 without a profile
	mid    [profileLoads]float64
	spread [profileLoads]float64
}

const (
	// scales is how many sizes of a drop are compared. Each is scaleRatio below the one before it.
	scales     = 24
	scaleRatio = 1.04
	// profileBelow is how many loads of a profile lie below the limit.
	profileBelow = 25
	profileLoads = profileBelow + scales + 2
	// usualShare is the share of the steps within the usual latency and its spread: one standard
	// deviation of a normal distribution.
	usualShare = 0.84
	// farther is how much the spread grows with the log of the load beyond the highest one that was
	// seen: there the laws tell less.
	farther = 2
)

// profile returns the profile that laws give which are fitted to what was seen.
func (s *summary) profile(limit float64) profile {
	p := profile{limit: limit}
	a, b := newBlend(s.groups(0.5)), newBlend(s.groups(usualShare))
	if a == nil || b == nil {
		return profile{}
	}
	for i := range p.mid {
		load := limit * math.Pow(scaleRatio, float64(i-profileBelow))
		p.mid[i] = a.log(load)
		p.spread[i] = min(max(b.log(load)-p.mid[i], 0.05)+farther*max(math.Log(load/a.highest), 0), 1)
	}
	return p
}

// A blend is the mean of laws, weighed by how well they fit.
type blend struct {
	highest float64 // load that was seen
	laws    []fitted
	weights []float64
}

func newBlend(groups []group) *blend {
	groups = fitting(groups)
	laws, best := laws(groups)
	if len(laws) == 0 {
		return nil
	}
	b := &blend{highest: groups[len(groups)-1].load}
	for _, l := range laws {
		if w := l.weight(best, len(groups)); w > 0.01 {
			b.laws, b.weights = append(b.laws, l), append(b.weights, w)
		}
	}
	return b
}

// log returns the log of the latency at a load. Beyond saturation it is far above the objective.
func (b *blend) log(load float64) float64 {
	highest := math.Log(1.25 * farAbove)
	mean, sum := 0.0, 0.0
	for i, l := range b.laws {
		v := highest
		if load < l.c {
			v = min(math.Log(max(l.at(load), 1e-6)), highest)
		}
		mean += b.weights[i] * v
		sum += b.weights[i]
	}
	return mean / sum
}

// likelihood returns the log-likelihood of a latency at a place between the loads of the table.
// What is far above the objective only says so: there, latency depends on how long the overload
// lasts.
func (p *profile) likelihood(at, latency float64) float64 {
	const outliers = 0.02 // share of steps that say nothing, at any latency alike
	at = min(max(at, 0), profileLoads-1.001)
	i := int(at)
	part := at - float64(i)
	mid := p.mid[i] + part*(p.mid[i+1]-p.mid[i])
	spread := p.spread[i] + part*(p.spread[i+1]-p.spread[i])
	// A logistic distribution is close to a normal one, with longer tails.
	const slope = 1.7
	if latency >= farAbove {
		above := 1 / (1 + math.Exp(slope*(math.Log(farAbove)-mid)/spread))
		return math.Log(outliers + (1-outliers)*above)
	}
	e := math.Exp(-slope * math.Abs(math.Log(latency)-mid) / spread)
	density := slope / spread * e / ((1 + e) * (1 + e))
	return math.Log(outliers/4 + (1-outliers)*density)
}
