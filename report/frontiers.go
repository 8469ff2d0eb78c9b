package report

import (
	"context"
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

// shortageCosts are those for which Headstart's frontier says which point is the best.
func shortageCosts() []float64 {
	return []float64{2, 3, 5, 7, 10, 14, 20, 30, 50, 70, 100, 140, 200, 300, 500, 700, 1000}
}

// otherContract returns the contract that is replayed beside the report's own. A fit depends on its
// contract, so a replay for each point of a frontier would take many times as long. These two are
// far apart: a shortage cost weighs, and a service level covers what is rare.
func otherContract(c forecaster.Contract) forecaster.Contract {
	if c.ShortageCost > 0 {
		return forecaster.Contract{ServiceLevel: 0.99}
	}
	return forecaster.Contract{ShortageCost: DefaultShortageCost}
}

// compares reports whether Headstart needs a frontier: for a policy of today to be compared with.
func (o Options) compares() bool { return !o.alone && slices.ContainsFunc(o.Policies, IsRival) }

// plans is what Headstart would have served under one contract.
type plans struct {
	contract forecaster.Contract
	served   []float64
}

// frontierOf replays the other contract, and returns the frontier of Headstart.
func (r *runner) frontierOf(ctx context.Context, own *Replay) (frontier.Line, error) {
	o := r.o
	o.Contract, o.Plans, o.Refresh = otherContract(r.o.Contract), nil, RefreshStep
	other, err := r.replayOf(ctx, o)
	if err != nil {
		return nil, err
	}
	return r.headstartFrontier(plans{r.o.Contract, own.Served}, plans{o.Contract, other.Served}), nil
}

// headstartFrontier returns the frontier of Headstart. Its settings are contracts, and the headroom
// on their plans: an HPA with a target of the capacity over the headroom has it. The points that
// are the best at some shortage cost say at which.
func (r *runner) headstartFrontier(all ...plans) frontier.Line {
	var points []frontier.Point
	for _, p := range all {
		for _, factor := range append(headrooms(), 1) {
			point := r.point(factor, r.servedReplicas(p.served, factor), r.t.stabilization)
			point.Contract = contractName(p.contract)
			points = append(points, point)
		}
	}
	line := frontier.New(points)
	demand := 0.0 // in replica-hours
	for i, v := range r.scored.demand {
		if r.scored.known[i] {
			demand += v / r.t.capacity * r.t.step.Hours()
		}
	}
	for _, cost := range shortageCosts() {
		best := 0
		for i, p := range line {
			if p.ReplicaHours+cost*p.Unserved*demand < line[best].ReplicaHours+cost*line[best].Unserved*demand {
				best = i
			}
		}
		if len(line) > 0 && line[best].ShortageCost == 0 {
			line[best].ShortageCost = cost
		}
	}
	return line
}

// contractName names a contract.
func contractName(c forecaster.Contract) string {
	if c.ShortageCost > 0 {
		return "shortage cost " + format.Plain(c.ShortageCost)
	}
	return "service level " + format.Plain(c.ServiceLevel)
}

// servedReplicas returns the replicas for a served demand, times a headroom.
func (r *runner) servedReplicas(served []float64, headroom float64) []float64 {
	desired := make([]float64, len(served))
	current := r.t.replicas(0)
	for i, v := range served {
		if !math.IsNaN(v) {
			current = r.t.replicas(headroom * v)
		}
		desired[i] = current
	}
	return desired
}
