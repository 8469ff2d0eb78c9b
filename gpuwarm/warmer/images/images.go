// Package images has the image of a target pulled onto nodes ahead of its replicas. There are two
// methods: pods that pull, and ImagePullJobs of OpenKruise. Both share the [History] of the
// target's pulls.
package images

import (
	"context"
	"errors"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

const (
	// pullDeadlineSeconds is after how many seconds a pull is given up.
	pullDeadlineSeconds = 1800
	// unlistedKept is how long a pull shows that the image is on a node that does not list it. The
	// kubelet may have removed the image by then.
	unlistedKept = time.Hour
	// mostListed is how many images a kubelet lists, the largest first. A node that lists as many may
	// have the image and not list it.
	mostListed = 50
)

// Method pulls images in one way.
type Method interface {
	// Ensure has the image pulled onto the nodes. It returns what is wrong with the pulls, for a
	// message.
	Ensure(ctx context.Context, p Pull) (problem string, err error)
	// Release removes what the method made for the Forecast.
	Release(ctx context.Context, p Pull) error
}

// Pull is what is to be pulled for one Forecast, and what is there.
type Pull struct {
	Pool     *v1alpha1.WarmPool
	Forecast string
	Target   *allocate.Target
	// Nodes are to have the image. Cluster has all nodes.
	Nodes   []*corev1.Node
	Cluster allocate.Nodes
	// Parallel is how many nodes may pull at a time.
	Parallel int
	// Pods and Job pull for the Forecast now, whichever method is to.
	Pods []corev1.Pod
	Job  *unstructured.Unstructured
	// Quotas are those of the namespace; QuotasErr is why they are not known.
	Quotas    []corev1.ResourceQuota
	QuotasErr error
	History   *History
}

// Options of [New].
type Options struct {
	PriorityClass string
	Client        kube.Client
	Clock         clock.PassiveClock
}

// Methods are all methods.
type Methods struct {
	pods *pods
	jobs *jobs
}

// New returns the methods.
func New(o Options) *Methods { return &Methods{&pods{o}, &jobs{o}} }

// By returns the method of a policy that pulls.
func (m *Methods) By(policy v1alpha1.WarmImagesPolicy) Method {
	if policy == v1alpha1.WarmImagesImagePullJob {
		return m.jobs
	}
	return m.pods
}

// Release removes all that pulls for the Forecast.
func (m *Methods) Release(ctx context.Context, p Pull) error {
	return errors.Join(m.pods.Release(ctx, p), m.jobs.Release(ctx, p))
}

// HasImage reports whether a node has the target's image. Either it lists it; or it lists its
// largest images only, and a pull onto it succeeded.
func HasImage(t *allocate.Target, h *History, n *corev1.Node) bool {
	return t.Known.ListedOn(n) || (h != nil && h.present[n.Name] && len(n.Status.Images) >= mostListed)
}
