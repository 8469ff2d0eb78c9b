package warmer

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
)

// The optional APIs. v1beta1 is the version that both the cluster autoscaler and Karpenter serve; v1alpha1 the one that every OpenKruise does.
var (
	capacityBuffer = schema.GroupVersionKind{Group: "autoscaling.x-k8s.io", Version: "v1beta1", Kind: "CapacityBuffer"}
	imagePullJob   = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "ImagePullJob"}

	provisioningRequest = schema.GroupVersionKind{Group: "autoscaling.x-k8s.io", Version: "v1", Kind: "ProvisioningRequest"}
	localModelCache     = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1alpha1", Kind: "LocalModelCache"}
	dataLoad            = schema.GroupVersionKind{Group: "data.fluid.io", Version: "v1alpha1", Kind: "DataLoad"}
)

const (
	// remembered is how long it is taken that an API is there, or is not, before it is looked for again.
	remembered = time.Minute
	// unanswered is the same where nobody answered.
	unanswered = 10 * time.Second
)

// Discovery says which kinds the cluster serves now. A RESTMapper would not do: what it saw once it takes to be there for ever.
type Discovery interface {
	// ServerResourcesForGroupVersion lists the resources of one group in one version, NotFound where there is no such group or version.
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// apis knows which optional APIs the cluster has. It is safe for concurrent use.
type apis struct {
	discovery Discovery
	mu        sync.Mutex
	seen      map[schema.GroupVersionKind]sighting
}

type sighting struct {
	there bool
	until time.Time
	err   error // where nobody ever answered
}

// has is whether the cluster serves the kind. A cluster that does not answer is taken to be as it was last.
func (a *apis) has(gvk schema.GroupVersionKind, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := a.seen[gvk]
	if now.Before(s.until) {
		return s.there
	}
	list, err := a.discovery.ServerResourcesForGroupVersion(gvk.GroupVersion().String())
	s.until = now.Add(unanswered)
	if _, before := a.seen[gvk]; err != nil && (!before || s.err != nil) {
		s.err = err
	}
	if err == nil || apierrors.IsNotFound(err) {
		s.err = nil
		s.there = err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Kind == gvk.Kind })
		s.until = now.Add(remembered)
	}
	a.seen[gvk] = s
	return s.there
}

// sure is nil once it is known whether the cluster serves the kind. What holds nodes by an API that a restart has not found yet would else be held twice.
func (a *apis) sure(gvk schema.GroupVersionKind, now time.Time) error {
	a.has(gvk, now)
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.seen[gvk].err; err != nil {
		return fmt.Errorf("look for the API of %s: %w", gvk.Kind, err)
	}
	return nil
}

// gone takes note that the cluster does not serve the kind any more.
func (a *apis) gone(gvk schema.GroupVersionKind, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[gvk] = sighting{until: now.Add(remembered)}
}

// absent is whether an error says that the cluster has no such API.
func absent(err error) bool {
	if meta.IsNoMatchError(err) || discovery.IsGroupDiscoveryFailedError(err) {
		return true
	}
	// A path that the API server does not know it answers in plain text, and the client makes a NotFound about the object that was asked for of that.
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsNotFound(err) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == "" || apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}

// errAbsent is the error that says so.
func errAbsent(gvk schema.GroupVersionKind) error {
	return &meta.NoKindMatchError{GroupKind: gvk.GroupKind(), SearchedVersions: []string{gvk.Version}}
}
