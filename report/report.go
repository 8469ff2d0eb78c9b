package report

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Report is what a replay came to. Its JSON form is documented in docs/report.md and only ever grows.
type Report struct {
	// Schema names the form of the JSON.
	Schema string `json:"schema"`
	// Input says what was replayed.
	Input Input `json:"input"`
	// Verdict says in two sentences what switching Headstart on would change.
	Verdict string `json:"verdict,omitempty"`
	// Doubts say why forecasting may not help this service.
	Doubts []string `json:"doubts,omitempty"`
	// Today is the policy that Headstart is compared with, and Changes what would change.
	Today   string   `json:"today,omitempty"`
	Changes []Change `json:"changes,omitempty"`
	// Gain says by how much, and how reliably from week to week.
	Gain *Gain `json:"gain,omitempty"`
	// Policies side by side, in the order that was asked for.
	Policies []Result `json:"policies"`
	// Model says what the forecast rested on at the end.
	Model *Model `json:"model,omitempty"`
	// Sweep says what Headstart and the reactive HPA come to at other leads.
	Sweep []SweepPoint `json:"sweep,omitempty"`
	// Proposal is what to apply.
	Proposal *Proposal `json:"proposal,omitempty"`
	// Notes are sentences about what limits this report.
	Notes []string `json:"notes,omitempty"`

	options Options
	trace   *trace
	replay  *Replay
	advice  string
}

// Schema of the JSON form.
const Schema = "headstart.dev/report/v1alpha1"

// Input says what was replayed.
type Input struct {
	Series       string    `json:"series,omitempty"`
	Start        time.Time `json:"start"`
	From         time.Time `json:"from"`
	End          time.Time `json:"end"`
	StepSeconds  float64   `json:"stepSeconds"`
	Steps        int       `json:"steps"`
	Scored       int       `json:"scored"`
	Gaps         int       `json:"gaps"`
	LeadSeconds  float64   `json:"leadSeconds"`
	LeadSteps    int       `json:"leadSteps"`
	Capacity     float64   `json:"capacity"`
	ServiceLevel float64   `json:"serviceLevel,omitempty"`
	ShortageCost float64   `json:"shortageCost"`
	MinReplicas  int       `json:"minReplicas"`
	MaxReplicas  int       `json:"maxReplicas,omitempty"`
	Peaks        []string  `json:"peaks,omitempty"`
}

// Result is one policy's.
type Result struct {
	Policy string `json:"policy"`
	Label  string `json:"label"`
	// NotRun says why a policy could not be run; its figures are then missing.
	NotRun string `json:"notRun,omitempty"`
	*Figures
	// Weeks are the costs over the oracle of each scored week, where there are two or more: how much the figure varies.
	Weeks []float64 `json:"weeks,omitempty"`
	// WeeksHalfWidth is half the 95 % interval of their mean, where there are three or more.
	WeeksHalfWidth float64 `json:"weeksHalfWidth,omitempty"`
	// Headroom is the factor on the policy's demand that did best on the last third of its history, and Tuned what it comes to.
	Headroom float64  `json:"headroom,omitempty"`
	Tuned    *Figures `json:"tuned,omitempty"`

	wish []float64
	paid []float64
	// ready replicas serve.
	ready []float64
}

// Model says what the forecast rested on at the end.
type Model struct {
	Skill          float64       `json:"skill"`
	PeriodSeconds  []float64     `json:"periodSeconds"`
	Weights        []ModelWeight `json:"weights"`
	SkilledShare   float64       `json:"skilledShare"`
	WindowsCovered float64       `json:"windowsCovered"`
	StepsCovered   float64       `json:"stepsCovered"`
	Warnings       []string      `json:"warnings,omitempty"`
}

// ModelWeight is the share of one model.
type ModelWeight struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

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

func inputOf(o Options, t *trace, scored span) Input {
	in := Input{
		Series: o.Name, Start: t.start, From: o.at(t.from), End: o.at(len(t.raw)), StepSeconds: t.step.Seconds(), Steps: len(t.raw),
		Scored: len(scored.demand), LeadSeconds: o.Lead.Seconds(), LeadSteps: t.lead, Capacity: t.capacity,
		ServiceLevel: o.Contract.ServiceLevel, ShortageCost: t.penalty, MinReplicas: t.least, MaxReplicas: t.most,
	}
	for _, k := range scored.known {
		if !k {
			in.Gaps++
		}
	}
	for _, p := range o.Peaks {
		in.Peaks = append(in.Peaks, p.Name())
	}
	return in
}

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
	out.paid, out.ready = r.scored.follow(out.wish, stab)
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

// model describes the forecaster at the end, and how often it kept what it was asked for.
func (r *Report) model() *Model {
	d := r.replay.Final
	m := &Model{Skill: d.Skill, Warnings: d.Warnings, SkilledShare: ratio(float64(r.replay.Skilled), float64(len(r.replay.Served)))}
	for _, p := range d.Periods {
		m.PeriodSeconds = append(m.PeriodSeconds, p.Seconds())
	}
	for _, w := range d.Models {
		m.Weights = append(m.Weights, ModelWeight{Model: w.Model, Share: w.Share})
	}
	t := r.trace
	peak := forwardMax(t.held[t.from:], t.lead)
	var windows, covered, steps, enough float64
	for i, served := range r.replay.Served {
		if math.IsNaN(served) || math.IsNaN(t.raw[t.from+i]) {
			continue
		}
		steps++
		if served >= t.raw[t.from+i] {
			enough++
		}
		if i+t.lead < len(peak) {
			windows++
			if served >= peak[i] {
				covered++
			}
		}
	}
	m.WindowsCovered, m.StepsCovered = ratio(covered, windows), ratio(enough, steps)
	return m
}

// Wishes are Headstart's decisions: the replicas wished for at each step from Options.From on, before any scale-down
// stabilisation. It reports false where the policy headstart was not run.
func (r *Report) Wishes() ([]int, bool) {
	if r.replay == nil {
		return nil, false
	}
	out := make([]int, len(r.replay.Wish))
	for i, w := range r.replay.Wish {
		out[i] = int(w)
	}
	return out, true
}

// Result of one policy; false where it is not in the report.
func (r *Report) Result(name string) (Result, bool) {
	for _, p := range r.Policies {
		if p.Policy == name {
			return p, true
		}
	}
	return Result{}, false
}

// String names a policy's result in a sentence.
func (r Result) String() string {
	if r.Figures == nil {
		return fmt.Sprintf("%s: not run (%s)", r.Policy, r.NotRun)
	}
	return fmt.Sprintf("%s: %.3f × the oracle's cost", r.Policy, r.CostOverOracle)
}

// HasGPUs says whether GPU-hours are known.
func (r *Report) HasGPUs() bool { return r.options.GPUs > 0 }

// HasMoney says whether a price is known.
func (r *Report) HasMoney() bool { return r.options.Price > 0 }
