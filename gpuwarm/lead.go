package gpuwarm

import (
	"fmt"
	"math"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// Lead is the warm-up to plan with, and what it rests on.
type Lead struct {
	// WarmUp is created to Ready, at the asked percentile, of the pod that would be created next.
	WarmUp time.Duration
	// Source is where WarmUp comes from: Learned once three starts were seen to finish, before that what the configuration says.
	Source v1alpha1.LeadTimeSource
	// Starts is how many starts became Ready, of those that are kept.
	Starts int
	// Ongoing is how many starts are going on.
	Ongoing int
	// Failing is whether starts fail to finish: at least two of the newest thirty, or all.
	Failing bool
	// Failed and Decided are what Failing rests on: of the newest starts that finished or failed, how many failed.
	Failed, Decided int
	// Capped is whether WarmUp would be longer, were it not for the longest that is believed.
	Capped bool
	// Reason is what the pods that fail now say, such as CrashLoopBackOff; empty where they say nothing.
	Reason string
}

// The newest starts that Failing looks at, and how many of them must have failed.
const (
	failingOf   = 30
	failingFrom = 2
)

// Lead is the lead at now.
func (l *Learner) Lead(now time.Time) Lead {
	samples, reasons := l.samples(now)
	q, assumed := l.opts.Percentile/100, l.assumed().Seconds()
	believe := l.opts.Max.Seconds()

	same := l.atOneLevel(samples, q, assumed, believe)
	all := estimate(same, q, assumed, believe)
	secs := shrink(all.secs, assumed, all.starts)
	if l.next != PathUnknown {
		own := estimate(onPath(same, l.next), q, secs, believe)
		secs = shrink(own.secs, secs, own.starts)
	}

	out := Lead{Source: v1alpha1.LeadSourceDefault, Reason: commonest(reasons)}
	out.Capped = secs > believe
	out.WarmUp = time.Duration(math.Ceil(min(secs, believe))) * time.Second
	if l.opts.DefaultConfigured {
		out.Source = v1alpha1.LeadSourceConfigured
	}
	for _, r := range l.records {
		if r.ready {
			out.Starts++
		}
		if r.live {
			out.Ongoing++
		}
	}
	if out.Starts >= LearnedStarts {
		out.Source = v1alpha1.LeadSourceLearned
	}
	for i := len(same) - 1; i >= 0 && out.Decided < failingOf; i-- {
		if same[i].event || all.failed[i] {
			out.Decided++
		}
		if all.failed[i] {
			out.Failed++
		}
	}
	out.Failing = out.Failed >= failingFrom || (out.Failed > 0 && out.Failed == out.Decided)
	return out
}

// atOneLevel brings the samples to the newest level. Starts that fail by the measure of all levels together have no say in where that is.
func (l *Learner) atOneLevel(samples []sample, q, assumed, believe float64) []sample {
	voting := append([]sample(nil), samples...)
	for i, failed := range estimate(samples, q, assumed, believe).failed {
		voting[i].failed = voting[i].failed || failed
	}
	same := level(voting)
	for i := range same {
		same[i].failed = samples[i].failed
	}
	return same
}

// assumed is what a service is taken to need before it has started: what its node pool's others take, held to the configured value
// as long as few starts of theirs are known.
func (l *Learner) assumed() time.Duration {
	secs := shrink(l.pool.warmUp.Seconds(), l.opts.Default.Seconds(), float64(l.pool.starts))
	return time.Duration(secs * float64(time.Second))
}

func (l *Learner) samples(now time.Time) ([]sample, []string) {
	out := make([]sample, len(l.records))
	reasons := make([]string, len(l.records))
	for i, r := range l.records {
		lasted := r.lasted
		if r.live {
			lasted = max(lasted, now.Sub(r.created))
			reasons[i] = r.failure
		}
		image, _, _ := strings.Cut(r.key, "-")
		if !r.ready {
			image = "" // the digest is not known yet
		}
		out[i] = sample{
			secs: max(lasted.Seconds(), 0.5), event: r.ready, live: r.live, failed: !r.ready && r.failure != "",
			path: r.path, image: image, weight: 1,
		}
	}
	return out, reasons
}

func onPath(samples []sample, p Path) []sample {
	var out []sample
	for _, s := range samples {
		if s.path == p {
			out = append(out, s)
		}
	}
	return out
}

func commonest(words []string) string {
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

// FailingMessage says what StartsFailing is about and what to do, or that nothing is.
func (l Lead) FailingMessage() string {
	if !l.Failing {
		return fmt.Sprintf("%d of the newest %d starts became Ready", l.Decided-l.Failed, l.Decided)
	}
	why := ""
	if l.Reason != "" {
		why = " (" + l.Reason + ")"
	}
	return fmt.Sprintf("%d of the newest %d starts did not become Ready%s: look at the target's pods; the lead is that of the starts that finish",
		l.Failed, l.Decided, why)
}
