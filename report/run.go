package report

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Run replays.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if len(o.Policies) == 0 {
		o.Policies = DefaultPolicies()
	}
	pool := newPool(o)
	leads := o.otherLeads()
	reports, errs := make([]*Report, 1+len(leads)), make([]error, 1+len(leads))
	var wait sync.WaitGroup
	for i := range reports {
		one := o
		if i > 0 {
			one.Lead, one.Policies, one.Headroom = leads[i-1], []string{PolicyHeadstart, PolicyReactive, PolicyOracle}, false
			one.Plans = nil
		}
		wait.Go(func() { reports[i], errs[i] = replayOnce(ctx, one, pool) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	r := reports[0]
	r.Steps = r.steps()
	r.sweep(reports[1:])
	r.conclude()
	return r, nil
}

// replayOnce runs the policies at one lead.
func replayOnce(ctx context.Context, o Options, pool *pool) (*Report, error) {
	t := newTrace(o)
	scored := t.span(t.from, len(t.raw))
	oracleWish := scored.oracle()
	r := &Report{Schema: Schema, Input: inputOf(o, t, scored), Policies: make([]Result, len(o.Policies)), options: o, trace: t}
	run := runner{o: o, t: t, scored: scored, oracle: scored.score(oracleWish, 0), oracleWish: oracleWish, pool: pool}
	errs := make([]error, len(o.Policies))
	var wait sync.WaitGroup
	for i, name := range o.Policies {
		if o.sameAsHeadstart(name) {
			continue
		}
		wait.Go(func() {
			if policies[name].demand != nil {
				defer pool.enter()() // a replay takes its places itself, one for each stretch
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
		r.Model = r.model()
	}
	return r, nil
}

// sameAsHeadstart says that a policy need not be replayed: without declared peaks the one without them is the other.
func (o Options) sameAsHeadstart(policy string) bool {
	return policy == PolicyHeadstartNoPeaks && len(o.Peaks) == 0 && slices.Contains(o.Policies, PolicyHeadstart)
}

// pool bounds what runs at once, and sums the progress up.
type pool struct {
	places chan struct{}
	done   atomic.Int64
	total  int
	report func(done, total int)
}

func newPool(o Options) *pool {
	p := &pool{places: make(chan struct{}, runtime.GOMAXPROCS(0)), report: o.Progress}
	scored := len(o.Series.Values) - o.From
	for _, name := range o.Policies {
		if policies[name].demand == nil && name != PolicyOracle && !o.sameAsHeadstart(name) {
			p.total += scored
		}
	}
	p.total += len(o.otherLeads()) * scored
	return p
}

// enter waits for a place and returns what gives it back.
func (p *pool) enter() func() {
	p.places <- struct{}{}
	return func() { <-p.places }
}

func (p *pool) add(steps int) {
	done := p.done.Add(int64(steps))
	if p.report != nil {
		p.report(int(done), p.total)
	}
}

// otherLeads are those of the sweep that are not Lead, once for each length in steps.
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
