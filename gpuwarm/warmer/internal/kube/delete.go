package kube

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// denialKept is how long a pod whose deletion was denied is tried after the others.
	denialKept = 10 * time.Minute
	// mostDenied is how many denials end one call of Pods: each try is a request.
	mostDenied = 3
)

// Deleter deletes objects of the warmer. It backs off from deletions that were denied: in a
// namespace where rights are missing, or of one object that admission protects. It is safe for
// concurrent use.
type Deleter struct {
	client client.Client
	clock  clock.PassiveClock
	denied *cache.Expiring
}

// denial is a denied deletion.
type denial struct {
	until time.Time // when it may be tried again
	err   error
}

// NewDeleter returns a Deleter.
func NewDeleter(c client.Client, clock clock.PassiveClock) *Deleter {
	return &Deleter{client: c, clock: clock, denied: NewExpiring(clock)}
}

// recent returns the denial for which none of the keys may be tried again yet; nil where there is
// none.
func (d *Deleter) recent(keys ...string) error {
	for _, key := range keys {
		if v, ok := d.denied.Get(key); ok && d.clock.Now().Before(v.(denial).until) {
			return v.(denial).err
		}
	}
	return nil
}

func (d *Deleter) note(key string, err error) {
	d.denied.Set(key, denial{d.clock.Now().Add(DenyPause), err}, DenyPause+denialKept)
}

// Pod deletes a pod at once. One that is gone already is no error.
func (d *Deleter) Pod(ctx context.Context, p *corev1.Pod) error {
	name := p.Namespace + "/" + p.Name
	if err := d.recent(p.Namespace, name); err != nil {
		return err
	}
	err := d.client.Delete(ctx, p, client.GracePeriodSeconds(0), client.Preconditions{UID: &p.UID})
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	err = fmt.Errorf("delete pod %s: %w", name, err)
	if IsDenied(err) {
		key := name
		if !deniedByPolicy(err) && strings.Contains(err.Error(), "cannot delete") {
			key = p.Namespace
		}
		d.note(key, err)
	}
	return err
}

// Pods deletes pods. One that may not be deleted does not keep the others: those whose deletion was
// denied before come last, the longest ago first, and after a few more denials the rest waits for
// the next call. An error that is no denial ends it.
func (d *Deleter) Pods(ctx context.Context, pods []corev1.Pod) error {
	var errs []error
	reported, denials := map[string]bool{}, 0
	pods = d.deniedLast(pods)
	for i := range pods {
		p := &pods[i]
		waits := d.recent(p.Namespace, p.Namespace+"/"+p.Name) != nil
		err := d.Pod(ctx, p)
		if err == nil {
			continue
		}
		if !reported[p.Namespace] { // one for all of a namespace
			reported[p.Namespace] = true
			errs = append(errs, err)
		}
		if !IsDenied(err) {
			return errors.Join(append(errs, err)...)
		}
		if !waits {
			denials++
		}
		if denials == mostDenied {
			break
		}
	}
	return errors.Join(errs...)
}

func (d *Deleter) deniedLast(pods []corev1.Pod) []corev1.Pod {
	until := func(p *corev1.Pod) time.Time {
		v, _ := d.denied.Get(p.Namespace + "/" + p.Name)
		n, _ := v.(denial)
		return n.until
	}
	out := slices.Clone(pods)
	slices.SortStableFunc(out, func(a, b corev1.Pod) int { return until(&a).Compare(until(&b)) })
	return out
}

// Object deletes an object other than a pod. nil, one that is gone and one that a finalizer keeps
// are no error.
func (d *Deleter) Object(ctx context.Context, o client.Object) error {
	if IsNil(o) || o.GetDeletionTimestamp() != nil {
		return nil
	}
	key := fmt.Sprintf("%s %T %s/%s", o.GetObjectKind().GroupVersionKind().Kind, o, o.GetNamespace(), o.GetName())
	if err := d.recent(key); err != nil {
		return err
	}
	uid := o.GetUID()
	err := d.client.Delete(ctx, o, client.Preconditions{UID: &uid},
		client.PropagationPolicy(metav1.DeletePropagationBackground))
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if IsDenied(err) {
		d.note(key, err)
	}
	return err
}
