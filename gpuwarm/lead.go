package gpuwarm

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/survival"
)

// Lead is the warm-up to plan with, and what it is based on.
type Lead struct {
	// WarmUp is the time from creation to Ready of the next pod, at the configured percentile.
	WarmUp time.Duration
	// Source of WarmUp: Learned from three finished starts on, before that Configured or Default.
	Source v1alpha1.LeadTimeSource
	// Starts is how many of the recorded starts became Ready.
	Starts int
	// Ongoing is how many starts are going on.
	Ongoing int
	// Failing is true when at least two of the newest thirty starts failed, or all of them.
	Failing bool
	// Decided is how many of the newest starts finished or failed, at most thirty. Failed is how
	// many of those failed.
	Failed, Decided int
	// Capped is true when WarmUp would be longer than LearnerOptions.Max.
	Capped bool
	// Reason is the most frequent reason of the pods that fail now, such as CrashLoopBackOff; empty
	// when they have none.
	Reason string
}

// Starts are failing when minFailed of the newest maxDecided failed.
const (
	maxDecided = 30
	minFailed  = 2
)

// Lead returns the lead at now.
func (l *Learner) Lead(now time.Time) Lead {
	samples, reasons := l.samples(now)
	q, prior, longest := l.opts.Percentile/100, l.priorWarmUp().Seconds(), l.opts.Max.Seconds()

	aligned := alignLevels(samples, q, prior, longest)
	all := survival.Estimate(aligned, q, prior, longest)
	secs := survival.Shrink(all.Seconds, prior, all.Starts)
	if l.next != PathUnknown {
		own := survival.Estimate(onPath(aligned, l.next), q, secs, longest)
		secs = survival.Shrink(own.Seconds, secs, own.Starts)
	}

	out := Lead{Source: v1alpha1.LeadSourceDefault, Reason: mostFrequent(reasons)}
	out.Capped = secs > longest
	out.WarmUp = time.Duration(math.Ceil(min(secs, longest))) * time.Second
	if l.opts.DefaultConfigured {
		out.Source = v1alpha1.LeadSourceConfigured
	}
	for _, r := range l.records {
		if r.ready {
			out.Starts++
		}
		if r.ongoing {
			out.Ongoing++
		}
	}
	if out.Starts >= LearnedStarts {
		out.Source = v1alpha1.LeadSourceLearned
	}
	out.countFailed(aligned, all.Failed)
	return out
}

// countFailed sets Decided, Failed and Failing.
func (l *Lead) countFailed(samples []survival.Sample, failed []bool) {
	for i := len(samples) - 1; i >= 0 && l.Decided < maxDecided; i-- {
		if samples[i].Finished || failed[i] {
			l.Decided++
		}
		if failed[i] {
			l.Failed++
		}
	}
	l.Failing = l.Failed >= minFailed || (l.Failed > 0 && l.Failed == l.Decided)
}

// alignLevels scales the samples to the newest level. Starts that fail are left out of the search
// for a change of level; which do is estimated from all samples as they are.
func alignLevels(samples []survival.Sample, q, prior, longest float64) []survival.Sample {
	marked := slices.Clone(samples)
	for i, failed := range survival.Estimate(samples, q, prior, longest).Failed {
		marked[i].Failed = marked[i].Failed || failed
	}
	aligned := survival.AlignLevels(marked)
	for i := range aligned {
		aligned[i].Failed = samples[i].Failed
	}
	return aligned
}

// priorWarmUp is the warm-up that is assumed for a service without starts: that of the other
// services on its node pool, shrunk towards the default while few of their starts are known. A
// default that a user configured is a floor: fast neighbours do not make it shorter.
func (l *Learner) priorWarmUp() time.Duration {
	secs := survival.Shrink(l.pool.warmUp.Seconds(), l.opts.Default.Seconds(), float64(l.pool.starts))
	prior := time.Duration(secs * float64(time.Second))
	if l.opts.DefaultConfigured {
		prior = max(prior, l.opts.Default)
	}
	return prior
}

// samples returns the records as samples at now, and for each the reason why it fails.
func (l *Learner) samples(now time.Time) ([]survival.Sample, []string) {
	out := make([]survival.Sample, len(l.records))
	reasons := make([]string, len(l.records))
	for i, r := range l.records {
		lasted := r.lasted
		if r.ongoing {
			lasted = max(lasted, now.Sub(r.created))
			reasons[i] = r.failure
		}
		image, _, _ := strings.Cut(r.key, "-")
		if !r.ready {
			image = "" // the digest is not known yet
		}
		out[i] = survival.Sample{
			Seconds: max(lasted.Seconds(), 0.5), Finished: r.ready, Ongoing: r.ongoing,
			Failed: !r.ready && r.failure != "", Stratum: string(r.path), Image: image, Weight: 1,
		}
	}
	return out, reasons
}

func onPath(samples []survival.Sample, p Path) []survival.Sample {
	var out []survival.Sample
	for _, s := range samples {
		if s.Stratum == string(p) {
			out = append(out, s)
		}
	}
	return out
}

// mostFrequent is the most frequent word that is not empty; of several the first by the alphabet.
func mostFrequent(words []string) string {
	count, best := map[string]int{}, ""
	for _, w := range words {
		if w == "" {
			continue
		}
		count[w]++
		if best == "" || count[w] > count[best] || (count[w] == count[best] && w < best) {
			best = w
		}
	}
	return best
}

// FailingMessage is the message of the condition StartsFailing: how many starts failed and what to
// do, or how many became Ready.
func (l Lead) FailingMessage() string {
	if !l.Failing {
		return fmt.Sprintf("%d of the newest %d starts became Ready", l.Decided-l.Failed, l.Decided)
	}
	why := ""
	if l.Reason != "" {
		why = " (" + l.Reason + ")"
	}
	return fmt.Sprintf("%d of the newest %d starts did not become Ready%s: look at the target's pods; "+
		"the lead is that of the starts that finish", l.Failed, l.Decided, why)
}
