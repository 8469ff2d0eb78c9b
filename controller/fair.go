package controller

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/internal/fairqueue"
)

// planHalfLife is how soon a namespace's use of the plan workers counts half.
const planHalfLife = 5 * time.Minute

// fairRequests is a [fairqueue.Queue] of a controller's requests.
type fairRequests struct{ *fairqueue.Queue }

var _ workqueue.TypedInterface[ctrl.Request] = fairRequests{}

// Add implements [workqueue.TypedInterface].
func (q fairRequests) Add(r ctrl.Request) { q.Queue.Add(r.NamespacedName) }

// Get implements [workqueue.TypedInterface].
func (q fairRequests) Get() (ctrl.Request, bool) {
	key, shutdown := q.Queue.Get()
	return ctrl.Request{NamespacedName: key}, shutdown
}

// Done implements [workqueue.TypedInterface].
func (q fairRequests) Done(r ctrl.Request) { q.Queue.Done(r.NamespacedName) }

// newFairQueue makes the queue of a controller that plans. Namespaces share its workers by the time
// that their fits take, so that the expensive Forecasts of one do not delay the plans of others.
func newFairQueue(
	name string, limiter workqueue.TypedRateLimiter[ctrl.Request],
) workqueue.TypedRateLimitingInterface[ctrl.Request] {
	fair := fairRequests{fairqueue.New(PlanWorkers, planHalfLife, clock.RealClock{})}
	delaying := workqueue.NewTypedDelayingQueueWithConfig(
		workqueue.TypedDelayingQueueConfig[ctrl.Request]{Name: name, Queue: fair})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
		workqueue.TypedRateLimitingQueueConfig[ctrl.Request]{Name: name, DelayingQueue: delaying})
}
