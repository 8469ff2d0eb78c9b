package report

import (
	"context"
	"math"
	"slices"
)

// runner runs the policies at one lead.
type runner struct {
	o          Options
	t          *trace
	scored     span
	oracle     Figures
	oracleWish []float64
	replay     *Replay // set by the policy headstart
	pool       *pool
}

func (r *runner) policy(ctx context.Context, name string) (Result, error) {
	p := policies[name]
	out := Result{Policy: name, Label: p.label}
	stab := r.t.stab
	switch {
	case name == PolicyOracle:
		out.wish, stab = r.oracleWish, 0
	case p.demand == nil:
		replay, err := r.headstart(ctx, name)
		if err != nil {
			return out, err
		}
		out.wish = replay.Wish
	default:
		demand, ok := p.demand(r.t, r.t.from, len(r.t.raw))
		if !ok {
			out.NotRun = "needs " + p.needs
			return out, nil
		}
		out.wish = r.wishes(p, demand, 1)
		if p.hpa {
			stab = 0
		}
		if r.o.Headroom {
			r.tune(p, &out, demand, stab)
		}
	}
	figures := r.scored.score(out.wish, stab).against(r.oracle)
	out.Figures, out.Weeks = &figures, r.weeks(out.wish, stab)
	out.WeeksHalfWidth, _ = halfWidth(out.Weeks)
	out.Paid, out.Ready = r.scored.follow(out.wish, stab)
	return out, nil
}

func (r *runner) headstart(ctx context.Context, name string) (*Replay, error) {
	o := r.o
	if name == PolicyHeadstartNoPeaks {
		o.Peaks, o.Plans = nil, nil
	}
	player, err := newReplayer(o, r.t)
	if err != nil {
		return nil, err
	}
	last := 0
	replay, err := player.run(ctx, r.pool.enter, func(done int) {
		r.pool.add(done - last)
		last = done
	})
	if err != nil {
		return nil, err
	}
	if name == PolicyHeadstart {
		r.replay = replay
	}
	return replay, nil
}

// wishes are the replicas for a demand with head-room.
func (r *runner) wishes(p policy, demand []float64, headroom float64) []float64 {
	scaled := make([]float64, len(demand))
	for i, d := range demand {
		scaled[i] = headroom * d
	}
	if p.hpa {
		return r.t.hpaFollow(scaled, r.o.Stabilization)
	}
	for i, d := range scaled {
		scaled[i] = r.t.replicas(d)
	}
	return scaled
}

// tune picks the factor that did best on the last third of the history, and says what it comes to.
func (r *runner) tune(p policy, out *Result, demand []float64, stab int) {
	begin := r.t.from * 2 / 3
	if begin < max(1, 2*r.t.day) {
		return
	}
	past, ok := p.demand(r.t, begin, r.t.from)
	if !ok {
		return
	}
	history := r.t.span(begin, r.t.from)
	best := math.Inf(1)
	const factors = 40
	for i := range factors {
		m := 0.5 * math.Pow(6, float64(i)/(factors-1)) // 0.5 … 3
		if cost := history.score(r.wishes(p, past, m), stab).Cost; cost < best {
			best, out.Headroom = cost, m
		}
	}
	tuned := r.scored.score(r.wishes(p, demand, out.Headroom), stab).against(r.oracle)
	out.Tuned = &tuned
}

// weeks are the costs over the oracle of each whole week.
func (r *runner) weeks(wish []float64, stab int) []float64 {
	week := 7 * r.t.day
	if week == 0 || len(wish) < 2*week {
		return nil
	}
	var out []float64
	for a := 0; a+week <= len(wish); a += week {
		part := span{t: r.t, demand: r.scored.demand[a : a+week], known: r.scored.known[a : a+week]}
		if !slices.Contains(part.known, true) {
			continue
		}
		oracle := part.score(r.oracleWish[a:a+week], 0)
		out = append(out, part.score(wish[a:a+week], stab).against(oracle).CostOverOracle)
	}
	return out
}
