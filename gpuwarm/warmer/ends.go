package warmer

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ends are how often in a row placeholders of one Forecast ended by themselves: a kubelet that does not admit them, or evicts them, would else have them made anew at
// each look.
type ends struct {
	tries int
	until time.Time // when more are made again
	why   string
}

// endsOf takes placeholders that ended early into account. It returns what ends them, for people, and whether no more are to be made for now.
func (r *Reconciler) endsOf(ctx context.Context, l *look, j *job, have []corev1.Pod) (failure string, pause bool) {
	key := trialsKey(l.pool, j.fc.Name)
	e := r.ends[key]
	ended := endedEarly(have)
	switch {
	case ended == nil && l.now.Sub(e.until) > backOff(e.tries): // it held for as long as was waited for
		delete(r.ends, key)
		return "", false
	case ended != nil && !l.now.Before(e.until): // those that end during a pause were made before it
		more, _ := r.explain(ctx, ended)
		e = ends{tries: e.tries + 1, until: l.now.Add(backOff(e.tries + 1)), why: ended.Status.Reason}
		if more != "" {
			e.why += " (" + more + ")"
		}
		r.ends[key] = e
	}
	return fmt.Sprintf("placeholders for %s end by themselves: %s: more are made ever more rarely, at last every ten minutes", j.fc.Name, e.why), l.now.Before(e.until)
}

// endedEarly is the first of the placeholders that something but their deadline ended.
func endedEarly(have []corev1.Pod) *corev1.Pod {
	for i := range have {
		if p := &have[i]; p.Status.Phase == corev1.PodFailed && p.Status.Reason != "DeadlineExceeded" && p.DeletionTimestamp == nil {
			return p
		}
	}
	return nil
}
