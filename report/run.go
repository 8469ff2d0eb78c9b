package report

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/report/internal/work"
	"headstart.dev/headstart/report/learned"
)

// Run replays the series with each policy, and compares the results.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if len(o.Policies) == 0 {
		o.Policies = DefaultPolicies()
	}
	absurd := o.leaveOutAbsurd()
	if o.Learn != nil {
		var err error
		if o.track, err = learned.Replay(ctx, o.learning()); err != nil {
			return nil, err
		}
	}
	pool := newPool(o)
	leads := o.otherLeads()
	reports, errs := make([]*Report, 1+len(leads)), make([]error, 1+len(leads))
	var wait sync.WaitGroup
	for i := range reports {
		one := o
		if i > 0 {
			one.Lead, one.Plans, one.Headroom, one.alone = leads[i-1], nil, false, true
			one.Policies = []string{PolicyHeadstart, PolicyReactive, PolicyOracle}
		}
		wait.Go(func() { reports[i], errs[i] = runPolicies(ctx, one, pool) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r := reports[0]
	r.Notes = append(append(r.Notes, absurd...), o.Notes...)
	r.Steps = r.steps()
	r.capacity()
	r.sweep(reports[1:])
	r.conclude()
	return r, nil
}

// runPolicies runs the policies at one lead.
func runPolicies(ctx context.Context, o Options, pool *work.Pool) (*Report, error) {
	run := newRunner(o, pool)
	r := &Report{
		Schema: Schema, Input: inputOf(o, run.t, run.scored), Policies: make([]Result, len(o.Policies)),
		options: o, trace: run.t,
	}
	errs := make([]error, len(o.Policies))
	var wait sync.WaitGroup
	for i, name := range o.Policies {
		if o.sameAsHeadstart(name) {
			continue
		}
		wait.Go(func() {
			if policies[name].demand != nil {
				defer pool.Enter()() // a replay enters the pool itself, once for each stretch
			}
			r.Policies[i], errs[i] = run.policy(ctx, name)
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for i, name := range o.Policies {
		if o.sameAsHeadstart(name) {
			r.Policies[i], _ = r.Result(PolicyHeadstart)
			r.Policies[i].Policy, r.Policies[i].Label = name, policies[name].label
		}
	}
	if r.replay = run.replay; r.replay != nil {
		r.Model, r.Spend = r.model(), r.replay.Spend
	}
	return r, nil
}

// sameAsHeadstart reports whether a policy need not be replayed: without declared peaks,
// headstart-no-peaks is the same as headstart.
func (o Options) sameAsHeadstart(policy string) bool {
	return policy == PolicyHeadstartNoPeaks && len(o.Peaks) == 0 && slices.Contains(o.Policies, PolicyHeadstart)
}

// newPool returns what limits how much runs at the same time. Only replays count as progress.
func newPool(o Options) *work.Pool {
	scored := len(o.Series.Values) - o.From
	total := len(o.otherLeads()) * scored
	for _, name := range o.Policies {
		if policies[name].demand == nil && name != PolicyOracle && !o.sameAsHeadstart(name) {
			total += scored
		}
	}
	return work.NewPool(total, o.Progress)
}

// otherLeads returns the leads of the sweep other than Lead, rounded up to whole steps, without
// duplicates.
func (o Options) otherLeads() []time.Duration {
	steps := func(d time.Duration) time.Duration { return (d + o.Series.Step - 1) / o.Series.Step }
	seen := map[time.Duration]bool{steps(o.Lead): true}
	var out []time.Duration
	for _, d := range o.Sweep {
		if s := steps(d); !seen[s] {
			seen[s] = true
			out = append(out, s*o.Series.Step)
		}
	}
	return out
}

// learning returns what the capacity is learned from.
func (o Options) learning() learned.Input {
	return learned.Input{Settings: o.settings(), Demand: forecaster.Series(o.Series), Evidence: *o.Learn}
}

// capacity sets what was learned about a replica, and what a plan by the configured capacity would
// have cost.
func (r *Report) capacity() {
	t := r.trace
	if t.track == nil {
		return
	}
	s := t.track.Summarise(r.options.learning())
	r.Capacity = &s
	if r.replay == nil {
		return
	}
	scored := t.span(t.from, len(t.raw))
	configured := t.servedReplicas(r.replay.Served, 1, func(int) float64 { return t.capacity })
	cost := func(desired []float64) *learned.Cost {
		f := scored.score(desired, t.stabilization)
		_, ready := scored.follow(desired, t.stabilization)
		c := &learned.Cost{ReplicaHours: f.ReplicaHours, Money: f.Money, Unserved: f.Unserved}
		if met, ok := s.Met(t.raw[t.from:], ready, t.track.Known[t.from:]); ok {
			c.Met = &met
		}
		return c
	}
	s.AtConfigured, s.AtLearned = cost(configured), cost(r.replay.Desired)
}
