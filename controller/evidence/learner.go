package evidence

import (
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/capacity/weights"
	"headstart.dev/headstart/controller/reads"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/learning"
)

const (
	// A read that failed is made again after retryAfter, and after twice as long each time, up to
	// maxRetryAfter.
	retryAfter, maxRetryAfter = 30 * time.Second, 15 * time.Minute
	// countsAlone is after how many failures in a row the counted pods have to do for the replicas.
	countsAlone = 3
	// patience is after how many failures in a row, about four hours, the steps of a read count as
	// unknown. Until then somebody may mend the query or the credentials.
	patience = 20
	// stoppedAfter is how long there may be demand without a latency before that is told.
	stoppedAfter = 24 * time.Hour
)

// Fetcher reads beside the work of the reconcilers. A [reads.Fetcher] is one.
type Fetcher interface {
	Request(key reads.Key, source string, r reads.SeriesReader)
	Take(key reads.Key) (reads.Result, bool)
	Busy(key reads.Key) bool
	Forget(forecast types.NamespacedName, parts ...reads.Part)
}

// Learner learns the capacity of one Forecast's replicas. The zero value knows nothing. It is not safe
// for concurrent use.
type Learner struct {
	key  string
	feed *learning.Feed
	err  error // why there is no feed

	from, to  time.Time // what is being read
	reading   bool
	results   map[reads.Part]reads.Result // of the read, as far as they are there
	notBefore time.Time                   // of the next read
	failures  int                         // of reads in a row of which no step was answered
	pace      pace
	// alone is set while the past is read without the replicas, for which no read is short enough.
	alone bool
	// termless is the same without the terms.
	termless bool

	current bool // whether the feed has once had all steps that were due

	latencyErr, replicasErr error     // of the newest read
	latencyAt               time.Time // the newest step with a latency
	counts                  counts
	releases                releases

	weights  *weights.Evidence // nil where no weights are learned
	termErr  error             // of the newest read of a term
	judged   weights.Estimate  // what is known of the weights
	judgedAt time.Time         // the end of the newest step by then
	weighErr error             // why what is known cannot be used
}

// Input is what a Learner needs to know at each evaluation.
type Input struct {
	Forecast types.NamespacedName
	Settings planner.Settings // with Learn
	Demand   *forecaster.Series
	// Status is what an earlier owner has learned; nil without one.
	Status *v1alpha1.LearnedCapacity
	Now    time.Time
}

// Update takes what was read, and asks for what is to be read next.
func (l *Learner) Update(in Input, fetch Fetcher, open Open) {
	l.configure(in, fetch)
	if l.feed == nil || in.Demand == nil {
		return
	}
	if l.reading && l.take(in, fetch) {
		l.add(in)
	}
	if l.reading || in.Now.Before(l.notBefore) {
		return
	}
	from, to, more := l.feed.Next(*in.Demand, l.pace.most)
	if !more {
		l.current = l.current || !l.feed.Until().IsZero()
		l.pace, l.alone, l.termless = pace{}, false, false
		return
	}
	l.from, l.to, l.reading, l.results = from, to, true, map[reads.Part]reads.Result{}
	for part, q := range l.queries(in.Settings) {
		fetch.Request(reads.Key{Forecast: in.Forecast, Part: part}, q.Source, span{
			open: open, namespace: in.Forecast.Namespace, name: q.Source, query: q.Query,
			from: from, to: to, step: in.Settings.Step, whole: part != reads.Latency,
		})
	}
}

// queries returns what is read for each part.
func (l *Learner) queries(set planner.Settings) map[reads.Part]v1alpha1.SeriesQuery {
	out := map[reads.Part]v1alpha1.SeriesQuery{
		reads.Latency: {Query: set.Learn.Query, Source: set.Learn.Source},
	}
	if set.Learn.ReplicasQuery != "" && !l.alone {
		out[reads.Replicas] = v1alpha1.SeriesQuery{Query: set.Learn.ReplicasQuery, Source: set.Learn.ReplicasSource}
	}
	for i, query := range set.Learn.Terms {
		if !l.termless {
			out[reads.Term(i)] = v1alpha1.SeriesQuery{Query: query, Source: set.Source}
		}
	}
	return out
}

// configure forgets what was learned when the settings change.
func (l *Learner) configure(in Input, fetch Fetcher) {
	set := in.Settings
	configured, _ := set.Capacity()
	key := fmt.Sprint(set.Query, set.Source, set.Step, *set.Learn, configured)
	if l.key == key {
		return
	}
	if l.key != "" {
		fetch.Forget(in.Forecast, reads.Evidence()...)
	}
	*l = Learner{key: key, counts: l.counts, releases: l.releases}
	l.feed, l.err = learning.New(set)
	l.weights, l.weighErr = weighs(set)
	if !l.releases.known() && in.Status != nil {
		l.releases.restore(in.Status)
	}
	l.release()
}

// release drops what was learned of the release before the current one.
func (l *Learner) release() {
	at := l.releases.at
	if at.IsZero() {
		return
	}
	if l.feed != nil {
		l.feed.Release(at)
	}
	if l.weights != nil {
		l.weights.Release(at)
	}
}

// take collects the results of the read. It reports whether all are there.
func (l *Learner) take(in Input, fetch Fetcher) bool {
	all := true
	for part := range l.queries(in.Settings) {
		if _, have := l.results[part]; have {
			continue
		}
		key := reads.Key{Forecast: in.Forecast, Part: part}
		got, ok := fetch.Take(key)
		switch {
		case ok && !l.answers(got, in.Settings.Step): // It is of another span: read again.
			fetch.Forget(in.Forecast, reads.Evidence()...)
			l.reading = false
			l.wait(in)
			return false
		case ok:
			l.results[part] = got
		case fetch.Busy(key):
			all = false
		default: // Somebody else has forgotten the read.
			l.reading = false
			return false
		}
	}
	return all
}

// answers reports whether a result is of the span that is being read. Sources begin at whole steps.
func (l *Learner) answers(r reads.Result, step time.Duration) bool {
	return r.Err != nil || r.Series.Step == step && r.Series.Start.Sub(l.from).Abs() < step &&
		len(r.Series.Values) == int(l.to.Sub(l.from)/step)
}

// wait puts off the next read.
func (l *Learner) wait(in Input) {
	after := min(retryAfter<<min(l.failures, 10), maxRetryAfter)
	l.failures++
	l.notBefore = in.Now.Add(max(after, in.Settings.Step))
}

// again reports whether a read is to be made again, and not to be taken as it is. shorter reports
// whether fewer steps are read then, since there were too many.
func (l *Learner) again(latency, replicas error, shorter bool) bool {
	beside := history.KindOf(replicas).Temporary() || history.KindOf(l.termErr).Temporary()
	if shorter || beside && l.failures < countsAlone {
		return true
	}
	switch kind := history.KindOf(latency); kind {
	case history.ErrNoSeries, history.ErrNotFinite: // There were no requests.
		return false
	default:
		return latency != nil && (kind.Temporary() || l.failures < patience)
	}
}

// add adds what was read. After an error, the steps that were not answered are read again, and
// fewer at once if there were too many. Otherwise a restart with wrong credentials would leave the
// past unknown for good.
func (l *Learner) add(in Input) {
	l.reading = false
	latency, replicas := l.results[reads.Latency], l.results[reads.Replicas]
	l.latencyErr, l.replicasErr, l.termErr = latency.Err, replicas.Err, l.termError(in.Settings)
	step := in.Settings.Step
	steps := int(l.to.Sub(l.from) / step)
	shorter := (tooLong(latency.Err) || tooLong(replicas.Err) || tooLong(l.termErr)) && l.pace.tooLong(steps)
	if l.again(latency.Err, replicas.Err, shorter) {
		n := min(answered(latency, l.from, step, steps), answered(replicas, l.from, step, steps),
			l.answeredTerms(in.Settings, steps))
		if n > 0 {
			l.failures = 0
			l.learn(in, latency, replicas, l.from.Add(time.Duration(n)*step))
		}
		l.wait(in)
		return
	}
	l.failures = 0
	switch {
	case tooLong(latency.Err): // It is given up.
		_, l.to, _ = l.feed.Next(*in.Demand, 0)
	case tooLong(replicas.Err): // The counted pods have to do. The latency alone may be read faster.
		l.alone, l.pace = true, pace{}
	case tooLong(l.termErr): // The capacity can do without, and the weights learn from later steps.
		l.termless, l.pace = true, pace{}
	default:
		l.pace.fits()
	}
	l.learn(in, latency, replicas, l.to)
}

// learn adds the steps up to an instant of what was read.
func (l *Learner) learn(in Input, latency, replicas reads.Result, until time.Time) {
	step := in.Settings.Step
	values := func(r reads.Result) []float64 {
		return learning.Between(forecaster.Series{Start: l.from, Step: step, Values: r.Series.Values}, l.from, until)
	}
	latencies, counted := values(latency), values(replicas)
	l.counts.fill(counted, l.from, step)
	l.feed.Add(l.from, learning.Between(*in.Demand, l.from, until), latencies, counted)
	l.addTerms(in.Settings, until, latencies, counted)
	l.results = nil
	l.current = l.current || l.feed.CaughtUp(*in.Demand)
	for i, v := range latencies {
		if !math.IsNaN(v) {
			l.latencyAt = l.from.Add(time.Duration(i) * step)
		}
	}
}

// Saw tells which pods are ready now.
func (l *Learner) Saw(now time.Time, pods Pods, step time.Duration) {
	l.counts.saw(now, pods.Ready, step)
	if l.releases.saw(now, pods) {
		l.release()
	}
}

// Use returns the capacity to plan and serve with. inUse is that of status. It stays until the past is
// read: after a restart, and while the source does not answer.
func (l *Learner) Use(inUse float64) float64 {
	if !l.current {
		return inUse
	}
	return l.feed.Use(inUse)
}

// Known returns what was learned. It reports false while nothing was read yet.
func (l *Learner) Known() (capacity.Estimate, bool) {
	if l.feed == nil || l.feed.Until().IsZero() {
		return capacity.Estimate{}, false
	}
	return l.feed.Estimate(), true
}

// Until returns the end of the newest step that was read; the zero time before the first.
func (l *Learner) Until() time.Time {
	if l.feed == nil {
		return time.Time{}
	}
	return l.feed.Until()
}
