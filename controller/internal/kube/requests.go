package kube

import (
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// RequestQueue is the queue of a reconciler.
type RequestQueue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// WithGeneration ignores updates that change only metadata or status.
func WithGeneration() builder.Predicates {
	return builder.WithPredicates(predicate.GenerationChangedPredicate{})
}

// RequestsFor returns a request for each of the objects.
func RequestsFor[T any, P interface {
	*T
	client.Object
}](objects []T) []reconcile.Request {
	out := make([]reconcile.Request, 0, len(objects))
	for i := range objects {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(P(&objects[i]))})
	}
	return out
}
