package report

import (
	"context"
	"math"
	"slices"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/gain"
	"headstart.dev/headstart/report/internal/work"
)

// runner runs the policies at one lead.
type runner struct {
	o      Options
	t      *trace
	scored span // the replayed steps
	oracle Figures
	// oracleReplicas are the oracle's desired replicas.
	oracleReplicas []float64
	// replay is set when the policy headstart is run.
	replay *Replay
	pool   *work.Pool
}

func newRunner(o Options, pool *work.Pool) *runner {
	t := newTrace(o)
	scored := t.span(t.from, len(t.raw))
	oracle := scored.oracle()
	return &runner{o: o, t: t, scored: scored, oracle: scored.score(oracle, 0), oracleReplicas: oracle, pool: pool}
}

// policy runs one policy.
func (r *runner) policy(ctx context.Context, name string) (Result, error) {
	p := policies[name]
	p.name = name
	out := Result{Policy: name, Label: r.label(name)}
	stabilization := r.t.stabilization
	switch {
	case name == PolicyOracle:
		out.desired, stabilization = r.oracleReplicas, 0
	case p.demand == nil:
		replay, err := r.headstart(ctx, name)
		if err != nil {
			return out, err
		}
		out.desired = replay.Desired
		if name == PolicyHeadstart && r.o.compares() {
			out.Frontier = r.headstartFrontier(replay)
		}
	default:
		demand, ok := p.demand(r.t, r.t.from, len(r.t.raw))
		if !ok {
			out.NotRun = "needs " + p.needs
			return out, nil
		}
		out.desired = r.desired(p, demand, 1)
		if p.hpa {
			stabilization = 0 // is part of the HPA's arithmetic
		}
		out.Frontier = r.frontier(p, demand, stabilization)
		if r.o.Headroom && name != PolicyHPA {
			r.tune(p, &out, demand, stabilization)
		}
	}
	figures := r.scored.score(out.desired, stabilization).against(r.oracle)
	out.Figures, out.Weeks = &figures, r.weeks(out.desired, stabilization)
	out.WeeksHalfWidth, _ = gain.HalfWidth(out.Weeks)
	out.Paid, out.Ready = r.scored.follow(out.desired, stabilization)
	return out, nil
}

// headstart replays Headstart, with the declared peaks or without.
func (r *runner) headstart(ctx context.Context, name string) (*Replay, error) {
	o := r.o
	var compare []forecaster.Contract
	if name == PolicyHeadstartNoPeaks {
		o.Peaks, o.Plans = nil, nil
	} else if o.compares() {
		compare = knobs(o.Contract)
	}
	player, err := newReplayer(o, r.t, compare)
	if err != nil {
		return nil, err
	}
	last := 0
	replay, err := player.run(ctx, r.pool.Enter, func(done int) {
		r.pool.Add(done - last)
		last = done
	})
	if err == nil && name == PolicyHeadstart {
		r.replay = replay
	}
	return replay, err
}

// label describes a policy in a phrase.
func (r *runner) label(name string) string {
	if name == PolicyHPA {
		return r.t.hpa.label()
	}
	return policies[name].label
}

// hpa returns the HPA whose arithmetic a policy follows.
func (r *runner) hpa(name string) HPA {
	if name == PolicyHPA {
		return r.t.hpa
	}
	h := HPA{
		Target: 1, Stabilization: r.o.Stabilization, MinReplicas: r.o.MinReplicas, MaxReplicas: r.o.MaxReplicas,
	}
	if name == PolicyKEDAPrometheus {
		h.MinReplicas = 0 // KEDA's default; its cooldown is as long as the default stabilisation window
	}
	return h
}

// desired returns the replicas for a demand times a headroom.
func (r *runner) desired(p policy, demand []float64, headroom float64) []float64 {
	scaled := make([]float64, len(demand))
	for i, d := range demand {
		scaled[i] = headroom * d
	}
	if p.hpa {
		return r.t.hpaFollow(scaled, r.hpa(p.name))
	}
	for i, d := range scaled {
		scaled[i] = r.t.replicas(d)
	}
	return scaled
}

// tune sets the headroom that a careful team would have picked on the last third of the history,
// and the figures with it. It does nothing if there is too little history.
func (r *runner) tune(p policy, out *Result, demand []float64, stabilization int) {
	begin, ok := r.t.tuning()
	if !ok {
		return
	}
	past, ok := p.demand(r.t, begin, r.t.from)
	if !ok {
		return
	}
	history := r.t.span(begin, r.t.from)
	const factors = 40
	for i := range factors {
		factor := 0.5 * math.Pow(6, float64(i)/(factors-1)) // 0.5 … 3
		figures := history.score(r.desired(p, past, factor), stabilization)
		if out.past == nil || better(r.o.Contract, figures, *out.past) {
			out.past, out.Headroom = &figures, factor
		}
	}
	desired := r.desired(p, demand, out.Headroom)
	tuned := r.scored.score(desired, stabilization).against(r.oracle)
	out.Tuned, out.tunedWeeks = &tuned, r.weeks(desired, stabilization)
	_, out.TunedReady = r.scored.follow(desired, stabilization)
}

// weeks returns the cost of each whole week, relative to the oracle's, if there are two or more.
// Weeks without a value are left out.
func (r *runner) weeks(desired []float64, stabilization int) []float64 {
	week := 7 * r.t.day
	if week == 0 || len(desired) < 2*week {
		return nil
	}
	var out []float64
	for a := 0; a+week <= len(desired); a += week {
		part := r.t.span(r.t.from+a, r.t.from+a+week)
		if !slices.Contains(part.known, true) {
			continue
		}
		oracle := part.score(r.oracleReplicas[a:a+week], 0)
		out = append(out, part.score(desired[a:a+week], stabilization).against(oracle).CostOverOracle)
	}
	return out
}
