package kube

import (
	"fmt"
	"slices"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/utils/clock"
)

// The optional APIs. Both the cluster autoscaler and Karpenter serve v1beta1 of CapacityBuffer.
// Every OpenKruise serves v1alpha1 of ImagePullJob.
var (
	CapacityBuffer = schema.GroupVersionKind{
		Group: "autoscaling.x-k8s.io", Version: "v1beta1", Kind: "CapacityBuffer",
	}
	ProvisioningRequest = schema.GroupVersionKind{
		Group: "autoscaling.x-k8s.io", Version: "v1", Kind: "ProvisioningRequest",
	}
	ImagePullJob    = schema.GroupVersionKind{Group: "apps.kruise.io", Version: "v1alpha1", Kind: "ImagePullJob"}
	LocalModelCache = schema.GroupVersionKind{Group: "serving.kserve.io", Version: "v1alpha1", Kind: "LocalModelCache"}
	DataLoad        = schema.GroupVersionKind{Group: "data.fluid.io", Version: "v1alpha1", Kind: "DataLoad"}
)

const (
	// Remembered is how long the answer of discovery counts before it is asked again.
	Remembered = time.Minute
	// unanswered is the same where discovery did not answer.
	unanswered = 10 * time.Second
)

// Discovery says which kinds the cluster serves now. A RESTMapper would not do: it never forgets a
// kind.
type Discovery interface {
	// ServerResourcesForGroupVersion lists the resources of one group in one version. The error is
	// NotFound where there is no such group or version.
	ServerResourcesForGroupVersion(groupVersion string) (*metav1.APIResourceList, error)
}

// APIs knows which optional APIs the cluster serves. It is safe for concurrent use.
type APIs struct {
	discovery Discovery
	mu        sync.Mutex
	fresh     *cache.Expiring // kinds that discovery was asked about lately
	known     map[schema.GroupVersionKind]answer
}

// answer is the last answer about a kind. err is set as long as discovery has never answered.
type answer struct {
	served bool
	err    error
}

// NewAPIs returns an APIs that asks discovery.
func NewAPIs(discovery Discovery, clock clock.PassiveClock) *APIs {
	return &APIs{discovery: discovery, fresh: NewExpiring(clock), known: map[schema.GroupVersionKind]answer{}}
}

// Serves reports whether the cluster serves the kind. While discovery does not answer, its last
// answer counts. The error is set where it has not answered since the start: what holds nodes
// through an API that a new process does not know of yet would be held a second time by other
// means.
func (a *APIs) Serves(gvk schema.GroupVersionKind) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	last, before := a.known[gvk]
	if _, ok := a.fresh.Get(gvk); ok {
		return last.served, last.err
	}
	list, err := a.discovery.ServerResourcesForGroupVersion(gvk.GroupVersion().String())
	switch {
	case err == nil || apierrors.IsNotFound(err):
		last = answer{served: err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool {
			return r.Kind == gvk.Kind
		})}
		a.fresh.Set(gvk, true, Remembered)
	case !before || last.err != nil:
		last.err = fmt.Errorf("look for the API of %s: %w", gvk.Kind, err)
		a.fresh.Set(gvk, true, unanswered)
	default:
		a.fresh.Set(gvk, true, unanswered)
	}
	a.known[gvk] = last
	return last.served, last.err
}

// Gone notes that the cluster does not serve the kind any more.
func (a *APIs) Gone(gvk schema.GroupVersionKind) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.known[gvk] = answer{}
	a.fresh.Set(gvk, true, Remembered)
}
