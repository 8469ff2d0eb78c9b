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

// Run replays the series with each policy, and compares the results.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if len(o.Policies) == 0 {
		o.Policies = DefaultPolicies()
	}
	absurd := o.leaveOutAbsurd()
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
	r.sweep(reports[1:])
	r.conclude()
	return r, nil
}

// runPolicies runs the policies at one lead.
func runPolicies(ctx context.Context, o Options, pool *pool) (*Report, error) {
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
				defer pool.enter()() // a replay enters the pool itself, once for each stretch
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

// sameAsHeadstart reports whether a policy need not be replayed: without declared peaks,
// headstart-no-peaks is the same as headstart.
func (o Options) sameAsHeadstart(policy string) bool {
	return policy == PolicyHeadstartNoPeaks && len(o.Peaks) == 0 && slices.Contains(o.Policies, PolicyHeadstart)
}

// pool limits how much runs at the same time, and reports the progress.
type pool struct {
	slots  chan struct{}
	done   atomic.Int64
	total  int
	report func(done, total int)
}

func newPool(o Options) *pool {
	p := &pool{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), report: o.Progress}
	scored := len(o.Series.Values) - o.From
	for _, name := range o.Policies {
		if policies[name].demand == nil && name != PolicyOracle && !o.sameAsHeadstart(name) {
			p.total += scored
		}
	}
	p.total += len(o.otherLeads()) * scored
	return p
}

// enter waits for a free slot, and returns the function that frees it.
func (p *pool) enter() (leave func()) {
	p.slots <- struct{}{}
	return func() { <-p.slots }
}

// add counts replayed steps.
func (p *pool) add(steps int) {
	done := p.done.Add(int64(steps))
	if p.report != nil {
		p.report(int(done), p.total)
	}
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
