package warmer

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"headstart.dev/headstart/api/v1alpha1"
)

// denied takes the errors that only a person can mend as a problem to be told, and returns the others, for [outcome.settle].
func (o *outcome) denied(p *problem, w *v1alpha1.WarmForecast, what string, err error) error {
	var others []error
	for _, err := range each(err) {
		reason, remedy, known := remedyOf(err)
		if _, ok := errors.AsType[unseen](err); ok || !known {
			others = append(others, err)
			continue
		}
		message := fmt.Sprintf("%s for %s: %s: %s", what, w.Name, brief(err), remedy)
		p.set(reason, message)
		w.Message = clip(message)
	}
	return errors.Join(others...)
}

// forbidden are what admission and authorisation say when they deny, and what a person can do about it; the first that fits counts.
var forbidden = []struct{ says, reason, remedy string }{
	{"exceeded quota", reasonQuota, "raise the quota there, or lower spec.limits"},
	// A quota bounds what these pods do not ask for.
	{"failed quota", reasonQuota, "have a LimitRange there give what the quota misses by default, or take that out of the quota"},
	{"PriorityClass", reasonDenied, "create the PriorityClass of the placeholders (value -10, preemptionPolicy Never)"},
	{"violates PodSecurity", reasonDenied, "the pods are as restricted as they can be: see what the namespace's pod security asks for beyond that"},
	{" usage per ", reasonDenied, "have the namespace's LimitRange admit it"},
	{"because it is being terminated", reasonDenied, "wait until the namespace is gone, and create it anew"},
	{"error looking up service account", reasonDenied, "create the ServiceAccount that the target's template names"},
	{"at the cluster scope", reasonDenied, "grant it, as the ClusterRole headstart-warm and its ClusterRoleBinding do in manifests/components/warm"},
	{"cannot ", reasonDenied, "grant it (in a WarmPool's namespace by a RoleBinding to the ClusterRole headstart-warm-namespace), or have it done another way in spec"},
	{"", reasonDenied, "have what refuses it admit it, or have it done another way in spec"},
}

// advised is a denial with what can be done about it, where its words alone do not tell.
type advised struct {
	err    error
	remedy string
}

func (a advised) Error() string { return a.err.Error() }
func (a advised) Unwrap() error { return a.err }

// remedyOf says what a person can do about an error; known is false for those that pass, or that nobody foresaw.
func remedyOf(err error) (reason, remedy string, known bool) {
	a, hasAdvice := errors.AsType[advised](err)
	switch {
	case byPolicy(err):
		return reasonDenied, "have that policy or webhook admit it, or have it done another way in spec", true
	case hasAdvice:
		return reasonDenied, a.remedy, true
	case apierrors.IsForbidden(err):
		for _, f := range forbidden {
			if strings.Contains(err.Error(), f.says) {
				return f.reason, f.remedy, true
			}
		}
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return reasonDenied, "the target's template asks for what this cluster refuses", true
	case noNamespace(err):
		return reasonDenied, "create the namespace", true
	}
	return "", "", false
}

// passes is whether time alone may mend an error.
func passes(err error) bool {
	_, _, known := remedyOf(err)
	return !known
}

// byPolicy is whether an error is the verdict of a ValidatingAdmissionPolicy or a webhook. They give it many a code: 422 and 400 where nobody says otherwise.
func byPolicy(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code, text := status.Status().Code, status.Status().Message
	refuses := code >= 400 && code < 500 && code != http.StatusTooManyRequests
	return refuses && (strings.Contains(text, "denied request") || strings.Contains(text, "denied the request"))
}

// noNamespace is whether an error says that the namespace is not there. Anything else that is not there went just now.
func noNamespace(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// denyPause is how long something that was denied is not tried again. Only a person can mend it.
const denyPause = 15 * time.Second

// denial is an error that only a person can mend.
type denial struct {
	until time.Time
	err   error
}

// deniedLately is the error that something came to so lately that it is not tried again yet.
func (r *Reconciler) deniedLately(j *job, what string, now time.Time) (error, bool) { //nolint:revive // the error is a value here, and no failure of this
	d := r.denied[j.fc.Namespace+"/"+j.fc.Name+"/"+what]
	return d.err, now.Before(d.until)
}

func (r *Reconciler) noteDenied(j *job, what string, now time.Time, err error) {
	key := j.fc.Namespace + "/" + j.fc.Name + "/" + what
	delete(r.denied, key)
	maps.DeleteFunc(r.denied, func(_ string, d denial) bool { return !now.Before(d.until) }) // of Forecasts that are gone, too
	if _, ok := errors.AsType[unseen](err); ok || err == nil || absent(err) {
		return
	}
	if _, _, known := remedyOf(err); known {
		r.denied[key] = denial{now.Add(denyPause), err}
	}
}

// refused is whether rights or admission deny something, which a person has to mend.
func refused(err error) bool { return apierrors.IsForbidden(err) || byPolicy(err) }
