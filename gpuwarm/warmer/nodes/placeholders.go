package nodes

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/util/flowcontrol"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// burst is how many placeholders are created for one Forecast at one look.
const burst = 25

// placeholders hold nodes by pods that do nothing.
type placeholders struct{ o Options }

// Release deletes all placeholders.
func (m *placeholders) Release(ctx context.Context, h Hold) error {
	h.Target, h.Replicas = nil, 0
	_, err := m.resize(ctx, h)
	return err
}

// Ensure creates and deletes placeholders.
func (m *placeholders) Ensure(ctx context.Context, h Hold) (Result, error) {
	var out Result
	paused := false
	if h.Replicas > 0 {
		out.Problem, paused = m.failing(ctx, h)
		out.Reason = ReasonPlaceholdersFail
	}
	if h.Denied != nil || paused {
		h.Replicas = min(h.Replicas, h.Nodes.Useful(h.Placeholders, h.Target.ShapeKey))
	}
	n, err := m.resize(ctx, h)
	out.Placeholders = n
	return out, err
}

// resize makes the placeholders as many as wanted, and returns how many there are. Those of no use
// are deleted first, then those that wait for a node, then the newest. Names are numbered, so that
// a stale cache makes none twice.
func (m *placeholders) resize(ctx context.Context, h Hold) (int, error) {
	shape := ""
	if h.Target != nil {
		shape = h.Target.ShapeKey
	}
	pods := slices.Clone(h.Placeholders)
	slices.SortFunc(pods, func(a, b corev1.Pod) int {
		return cmp.Or(
			cmp.Compare(h.Nodes.Rank(&a, shape), h.Nodes.Rank(&b, shape)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time),
			cmp.Compare(a.Name, b.Name),
		)
	})
	used, kept, want := map[string]bool{}, 0, h.Replicas
	var needless []corev1.Pod
	for i := range pods {
		p := &pods[i]
		switch {
		case p.DeletionTimestamp != nil:
			used[p.Name] = true
		case kept < want && h.Nodes.Rank(p, shape) < allocate.Useless:
			kept++
			used[p.Name] = true
		default:
			needless = append(needless, *p)
		}
	}
	denied := m.o.Client.Deleter.Pods(ctx, needless)
	if denied != nil {
		if slices.ContainsFunc(kube.Each(denied), func(err error) bool { return !kube.IsDenied(err) }) {
			return kept, denied
		}
		want -= allocate.Alive(needless) // as if all of them stayed: the next look knows
	}
	created, err := m.create(ctx, h, used, want-kept)
	return kept + created, errors.Join(denied, err)
}

// create creates up to n placeholders whose names are not used.
func (m *placeholders) create(ctx context.Context, h Hold, used map[string]bool, n int) (created int, err error) {
	others := selectorOf(h)
	for i, tries := 0, 0; created < n && tries < burst; i++ {
		p := m.build(h, i, others)
		if used[p.Name] {
			continue
		}
		tries++
		err := m.o.Client.Client.Create(ctx, p)
		if apierrors.IsAlreadyExists(err) {
			continue // one that the cache does not show yet, or does not show any more
		}
		if err != nil {
			return created, err
		}
		created++
	}
	return created, nil
}

const (
	// firstRetry is how long the first pause is after placeholders ended by themselves. It doubles
	// each time, up to longestRetry.
	firstRetry   = 30 * time.Second
	longestRetry = 10 * time.Minute
)

// Failures remember placeholders of a target that ended by themselves: a kubelet does not admit
// them, or evicts them. Without a backoff they would be created again at each look.
type Failures struct {
	backoff *flowcontrol.Backoff
	last    time.Time
	why     string
}

// NewFailures returns empty Failures.
func NewFailures(c clock.PassiveClock) *Failures {
	return &Failures{backoff: kube.NewBackoff(c, firstRetry, longestRetry)}
}

// failing records placeholders that ended early. It returns what ends them, for a message, and
// whether no more are to be created for now.
func (m *placeholders) failing(ctx context.Context, h Hold) (problem string, paused bool) {
	const key = ""
	f, now := h.Failures, m.o.Clock.Now()
	ended := endedEarly(h.Placeholders)
	pause := f.backoff.Get(key)
	switch {
	case ended == nil && now.Sub(f.last) > 2*pause: // they held for as long as the pause was
		f.backoff.Reset(key)
		return "", false
	case ended != nil && now.Sub(f.last) >= pause: // those that end during a pause were created before it
		text, _ := kube.Explain(ctx, m.o.Client.Live, ended)
		f.why = ended.Status.Reason
		if text != "" {
			f.why += " (" + text + ")"
		}
		f.backoff.Next(key, now)
		f.last = now
	}
	problem = fmt.Sprintf("placeholders for %s end by themselves: %s: more are made ever more rarely, "+
		"at last every ten minutes", h.Forecast, f.why)
	return problem, now.Sub(f.last) < f.backoff.Get(key)
}

// endedEarly returns the first of the placeholders that something but their deadline ended; nil
// where there is none.
func endedEarly(pods []corev1.Pod) *corev1.Pod {
	for i := range pods {
		p := &pods[i]
		if p.Status.Phase == corev1.PodFailed && p.Status.Reason != "DeadlineExceeded" && p.DeletionTimestamp == nil {
			return p
		}
	}
	return nil
}
