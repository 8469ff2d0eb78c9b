// Package nodes has the cluster hold nodes for a Forecast. There are three methods: placeholders, a
// CapacityBuffer and a ProvisioningRequest. Each makes what is held what is wanted, and removes it
// again.
package nodes

import (
	"context"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/clock"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
)

// Reasons of conditions.
const (
	ReasonNotProvisioned   = "NotProvisioned"
	ReasonPlaceholdersFail = "PlaceholdersFail"
)

// Method holds nodes in one way.
type Method interface {
	// Ensure makes what is held as large as wanted. Its error is of the API server, and Result says
	// the rest.
	Ensure(ctx context.Context, h Hold) (Result, error)
	// Release removes what the method made for the Forecast.
	Release(ctx context.Context, h Hold) error
}

// Hold is what is to be held for one Forecast, and what is there.
type Hold struct {
	Pool     *v1alpha1.WarmPool
	Forecast string
	// Target is nil where nothing is to be held.
	Target *allocate.Target
	// Replicas is for how many to hold nodes.
	Replicas int
	// Nodes are all of the cluster.
	Nodes allocate.Nodes
	// Placeholders are those of the Forecast, also where another method is to hold nodes.
	Placeholders []corev1.Pod
	Objects      Objects
	// Denied is a recent denial. Until it is over no placeholder is created.
	Denied error
	// Failures of placeholders of the target.
	Failures *Failures
}

// Objects are what asks the cluster's autoscaler for nodes; nil where there is none.
type Objects struct {
	Template *corev1.PodTemplate
	Buffer   *unstructured.Unstructured
	Request  *unstructured.Unstructured
}

// Result is what came of it.
type Result struct {
	// Placeholders is how many there are.
	Placeholders int
	// Problem is what is wrong with what was made, for a message; empty where nothing is. Reason is
	// that of the condition.
	Problem, Reason string
	// Unmet is why nodes are not brought up, as far as the cluster says so. It matters only where
	// nodes are missing.
	Unmet string
}

// Options of [New].
type Options struct {
	// Namespace, PriorityClass and PauseImage of the placeholders.
	Namespace, PriorityClass, PauseImage string
	Client                               kube.Client
	Clock                                clock.PassiveClock
}

// Methods are all methods.
type Methods struct {
	placeholders *placeholders
	buffers      *buffers
	requests     *requests
}

// New returns the methods.
func New(o Options) *Methods {
	return &Methods{&placeholders{o}, &buffers{o.Client}, &requests{o.Client, o.Clock}}
}

// By returns the method of a policy that holds nodes.
func (m *Methods) By(policy v1alpha1.WarmNodesPolicy) Method {
	switch policy {
	case v1alpha1.WarmNodesCapacityBuffer:
		return m.buffers
	case v1alpha1.WarmNodesProvisioningRequest:
		return m.requests
	}
	return m.placeholders
}

// ReleaseRequests removes what asks the cluster's autoscaler for nodes, except for what the policy
// keep needs.
func (m *Methods) ReleaseRequests(ctx context.Context, h Hold, keep v1alpha1.WarmNodesPolicy) error {
	var errs []error
	if keep != v1alpha1.WarmNodesCapacityBuffer {
		errs = append(errs, m.buffers.Release(ctx, h))
	}
	if keep != v1alpha1.WarmNodesProvisioningRequest {
		errs = append(errs, m.requests.Release(ctx, h))
	}
	if !allocate.ByAutoscaler(keep) {
		errs = append(errs, m.buffers.client.Deleter.Object(ctx, h.Objects.Template))
	}
	return errors.Join(errs...)
}

// Release removes all that is held.
func (m *Methods) Release(ctx context.Context, h Hold) error {
	return errors.Join(m.placeholders.Release(ctx, h), m.ReleaseRequests(ctx, h, ""))
}

// ReplaceEnded replaces placeholders that ended by themselves, where nothing else about what is
// held is known to change. With no target it only deletes them. A placeholder that a replica
// replaced is not created again.
func (m *Methods) ReplaceEnded(ctx context.Context, h Hold) error {
	ended := slices.DeleteFunc(slices.Clone(h.Placeholders), func(p corev1.Pod) bool {
		return allocate.IsAlive(&p) || p.DeletionTimestamp != nil
	})
	switch {
	case h.Target == nil:
		return m.buffers.client.Deleter.Pods(ctx, ended)
	case len(ended) == 0:
		return nil
	}
	h.Replicas = allocate.Alive(h.Placeholders) + len(ended)
	_, err := m.placeholders.resize(ctx, h)
	return err
}

// ReleasePlaceholders deletes all placeholders.
func (m *Methods) ReleasePlaceholders(ctx context.Context, h Hold) error {
	return m.placeholders.Release(ctx, h)
}
