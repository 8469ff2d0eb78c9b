// Package kube is how the warmer reads, writes and deletes objects, and what it makes of the API
// server's errors.
package kube

import (
	"errors"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// Reasons of conditions for errors that a person has to fix.
const (
	ReasonDenied = "Denied"
	ReasonQuota  = "QuotaDenied"
)

// forbidden maps what admission and authorization say to what a person can do about it. The first
// match counts.
var forbidden = []struct{ says, reason, remedy string }{
	{"exceeded quota", ReasonQuota, "raise the quota there, or lower spec.limits"},
	// A quota bounds what these pods do not request.
	{
		"failed quota", ReasonQuota,
		"have a LimitRange there give what the quota misses by default, or take that out of the quota",
	},
	{
		"PriorityClass", ReasonDenied,
		"create the PriorityClass of the placeholders (value -10, preemptionPolicy Never)",
	},
	{
		"violates PodSecurity", ReasonDenied,
		"the pods are as restricted as they can be: see what the namespace's pod security asks for beyond that",
	},
	{" usage per ", ReasonDenied, "have the namespace's LimitRange admit it"},
	{"because it is being terminated", ReasonDenied, "wait until the namespace is gone, and create it again"},
	{
		"error looking up service account", ReasonDenied,
		"create the ServiceAccount that the target's template names",
	},
	{
		"at the cluster scope", ReasonDenied,
		"grant it, as the ClusterRole headstart-warm and its ClusterRoleBinding do in manifests/components/warm",
	},
	{
		"cannot ", ReasonDenied,
		"grant it (in a WarmPool's namespace by a RoleBinding to the ClusterRole headstart-warm-namespace), " +
			"or choose another way in spec",
	},
	{"", ReasonDenied, "have what denies it admit it, or choose another way in spec"},
}

// advised is a denial whose words alone do not say what to do about it.
type advised struct {
	err    error
	remedy string
}

func (a advised) Error() string { return a.err.Error() }
func (a advised) Unwrap() error { return a.err }

// Advise adds to a denial what a person can do about it.
func Advise(err error, remedy string) error { return advised{err, remedy} }

// Remedy says what a person can do about an error, and the reason of a condition for it. known is
// false for errors that pass with time, and for those that nobody foresaw.
func Remedy(err error) (reason, remedy string, known bool) {
	a, hasAdvice := errors.AsType[advised](err)
	switch {
	case deniedByPolicy(err):
		return ReasonDenied, "have that policy or webhook admit it, or choose another way in spec", true
	case hasAdvice:
		return ReasonDenied, a.remedy, true
	case apierrors.IsForbidden(err):
		for _, f := range forbidden {
			if strings.Contains(err.Error(), f.says) {
				return f.reason, f.remedy, true
			}
		}
	case apierrors.IsInvalid(err), apierrors.IsBadRequest(err):
		return ReasonDenied, "the target's template has what this cluster does not accept", true
	case namespaceMissing(err):
		return ReasonDenied, "create the namespace", true
	}
	return "", "", false
}

// IsTransient reports whether time alone may fix an error.
func IsTransient(err error) bool {
	_, _, known := Remedy(err)
	return !known
}

// IsDenied reports whether rights or admission deny a request, which a person has to fix.
func IsDenied(err error) bool { return apierrors.IsForbidden(err) || deniedByPolicy(err) }

// deniedByPolicy reports whether an error is the verdict of a ValidatingAdmissionPolicy or a
// webhook. They use many codes: 422 and 400 where their author gives none.
func deniedByPolicy(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code, text := status.Status().Code, status.Status().Message
	denies := code >= 400 && code < 500 && code != http.StatusTooManyRequests
	return denies && (strings.Contains(text, "denied request") || strings.Contains(text, "denied the request"))
}

// namespaceMissing reports whether an error says that the namespace does not exist. Anything else
// that is not found was deleted a moment ago.
func namespaceMissing(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details != nil && details.Kind == "namespaces"
}

// IsAbsent reports whether an error says that the cluster does not serve the API.
func IsAbsent(err error) bool {
	if meta.IsNoMatchError(err) || discovery.IsGroupDiscoveryFailedError(err) {
		return true
	}
	// The API server answers a path that it does not know in plain text. The client makes of that a
	// NotFound about the requested object.
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" ||
		apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// Absent returns the error that says that the cluster does not serve a kind.
func Absent(gvk schema.GroupVersionKind) error {
	return &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
}

// Each returns the errors that were joined into one.
func Each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var out []error
	for _, e := range joined.Unwrap() {
		out = append(out, Each(e)...)
	}
	return out
}
