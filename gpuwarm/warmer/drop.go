package warmer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// refusals remember which removals of pods were denied, so that they are not tried again at once: of a namespace where rights are missing, of a pod where
// admission objects. They are safe for concurrent use.
type refusals struct {
	mu sync.Mutex
	by map[string]denial
}

// of is what removing a pod came to so lately that it is not tried again yet; nil where it may be.
func (r *refusals) of(p *corev1.Pod, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, key := range []string{p.Namespace, p.Namespace + "/" + p.Name} {
		if d := r.by[key]; now.Before(d.until) {
			return d.err
		}
	}
	return nil
}

// note takes what removing a pod came to.
func (r *refusals) note(p *corev1.Pod, err error, now time.Time) {
	if !refused(err) {
		return
	}
	key := p.Namespace + "/" + p.Name
	if !byPolicy(err) && strings.Contains(err.Error(), "cannot delete") {
		key = p.Namespace
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.by, func(_ string, d denial) bool { return now.Sub(d.until) > denialKept })
	r.by[key] = denial{now.Add(denyPause), err}
}

// denialKept is for how long a pod whose removal was denied comes after others.
const denialKept = 10 * time.Minute

// last sorts pods whose removal was denied behind the others, those of which that is longest ago first: a few that may never be removed would else be tried again and
// again, and no other.
func (r *refusals) last(pods []corev1.Pod) []corev1.Pod {
	r.mu.Lock()
	defer r.mu.Unlock()
	denied := func(p *corev1.Pod) time.Time { return r.by[p.Namespace+"/"+p.Name].until }
	out := slices.Clone(pods)
	slices.SortStableFunc(out, func(a, b corev1.Pod) int { return denied(&a).Compare(denied(&b)) })
	return out
}

// drop deletes a pod of ours at once. That it is gone already is what was wanted.
func (r *Reconciler) drop(ctx context.Context, p *corev1.Pod) error {
	now := r.opts.Clock.Now()
	if err := r.stuck.of(p, now); err != nil {
		return err
	}
	err := r.opts.Client.Delete(ctx, p, client.GracePeriodSeconds(0), client.Preconditions{UID: &p.UID})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	err = fmt.Errorf("delete pod %s/%s: %w", p.Namespace, p.Name, err)
	r.stuck.note(p, err, now)
	return err
}

// dropAll deletes pods. One that may not be deleted is no reason to leave the others; a few at a time are tried and no more, for each try is a request.
func (r *Reconciler) dropAll(ctx context.Context, pods []corev1.Pod) error {
	const most = 3
	var failures []error
	told, tried := map[string]bool{}, 0
	pods = r.stuck.last(pods)
	for i := range pods {
		p := &pods[i]
		waits := r.stuck.of(p, r.opts.Clock.Now()) != nil
		err := r.drop(ctx, p)
		if err == nil {
			continue
		}
		if !told[p.Namespace] { // one of them says it
			told[p.Namespace] = true
			failures = append(failures, err)
		}
		if !refused(err) {
			return errors.Join(append(failures, err)...)
		}
		if !waits {
			tried++
		}
		if tried == most {
			break
		}
	}
	return errors.Join(failures...)
}
