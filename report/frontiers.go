package report

import (
	"cmp"
	"math"
	"slices"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/frontier"
	"headstart.dev/headstart/report/internal/format"
)

// headrooms returns the factors on a policy's demand that its frontier is made of.
func headrooms() []float64 {
	const n, least, most = 80, 0.4, 8.0
	out := make([]float64, n)
	for i := range out {
		out[i] = least * math.Pow(most/least, float64(i)/(n-1))
	}
	return out
}

// frontier returns the frontier of a policy of today. Its knob is the headroom.
func (r *runner) frontier(p policy, demand []float64, stabilization int) frontier.Line {
	var points []frontier.Point
	for _, factor := range append(headrooms(), 1) {
		points = append(points, r.point(factor, r.desired(p, demand, factor), stabilization))
	}
	return frontier.New(points)
}

// point returns the point of a frontier for the desired replicas of a policy.
func (r *runner) point(knob float64, desired []float64, stabilization int) frontier.Point {
	f := r.scored.score(desired, stabilization)
	return frontier.Point{
		Knob: knob, Unserved: f.Unserved, ReplicaHours: f.ReplicaHours, PeakReplicas: f.PeakReplicas,
	}
}

// knobs are the settings of Headstart that its frontier is made of, in ascending order: shortage
// costs under a shortage cost, and service levels under a service level. The contract itself is not
// among them.
func knobs(own forecaster.Contract) []forecaster.Contract {
	costs := []float64{2, 3, 5, 8, 13, 20, 35, 60, 120, 250, 500, 1000}
	levels := []float64{0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995}
	var out []forecaster.Contract
	if own.ShortageCost > 0 {
		for _, v := range costs {
			out = append(out, forecaster.Contract{ShortageCost: v})
		}
	} else {
		for _, v := range levels {
			out = append(out, forecaster.Contract{ServiceLevel: v})
		}
	}
	return slices.DeleteFunc(out, func(c forecaster.Contract) bool { return c == own })
}

// knob returns the setting of a contract.
func knob(c forecaster.Contract) float64 { return c.ShortageCost + c.ServiceLevel }

// compares reports whether Headstart needs a frontier: for a policy of today to be compared with.
func (o Options) compares() bool { return !o.alone && slices.ContainsFunc(o.Policies, IsRival) }

// headstartFrontier returns the frontier of Headstart. Its settings are contracts. Beyond the first
// and the last one, the headroom on their plans is the setting: an HPA with a target of the capacity
// over the headroom has it.
func (r *runner) headstartFrontier(own *Replay) frontier.Line {
	all := append([]Compared{{r.o.Contract, own.Served}}, own.Compared...)
	slices.SortFunc(all, func(a, b Compared) int { return cmp.Compare(knob(a.Contract), knob(b.Contract)) })
	var points []frontier.Point
	add := func(c Compared, headroom float64) {
		point := r.point(knob(c.Contract), r.t.servedReplicas(c.Served, headroom, r.t.planned), r.t.stabilization)
		point.Contract, point.ShortageCost = contractName(c.Contract), c.Contract.ShortageCost
		if c.Contract == r.o.Contract && r.o.AtMost > 0 {
			point.Contract += " for at most " + format.Plain(r.o.AtMost)
		}
		if headroom != 1 {
			point.Headroom = headroom
		}
		points = append(points, point)
	}
	for _, c := range all {
		add(c, 1)
	}
	for _, factor := range headrooms() {
		if factor < 1 {
			add(all[0], factor)
		} else {
			add(all[len(all)-1], factor)
		}
	}
	return frontier.New(points)
}

// contractName names a contract.
func contractName(c forecaster.Contract) string {
	if c.ShortageCost > 0 {
		return "shortage cost " + format.Plain(c.ShortageCost)
	}
	return "service level " + format.Plain(c.ServiceLevel)
}

// servedReplicas returns the replicas for a served demand, times a headroom, by the capacity of each
// step.
func (t *trace) servedReplicas(served []float64, headroom float64, capacity func(step int) float64) []float64 {
	desired := make([]float64, len(served))
	current := t.replicas(0)
	for i, v := range served {
		if !math.IsNaN(v) {
			current = t.replicasAt(headroom*v, capacity(t.from+i))
		}
		desired[i] = current
	}
	return desired
}

// Setting names the setting of Headstart that pays so many replica-hours, or the two that it lies
// between.
func (r *Report) Setting(hours float64) string {
	head, _ := r.Result(PolicyHeadstart)
	return head.Frontier.Setting(hours)
}

// settingOfToday names the setting of Headstart that serves as much as the policy of today. It is
// "" if there is none, or if it is what was asked for.
func (r *Report) settingOfToday() string {
	if r.Baseline == nil || r.Baseline.HeadstartHours == nil {
		return ""
	}
	setting := r.Setting(*r.Baseline.HeadstartHours)
	if setting == contractName(r.options.Contract) && r.options.AtMost == 0 {
		return ""
	}
	return setting
}
