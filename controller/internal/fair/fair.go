// Package fair makes queues of controllers whose workers are shared by namespaces.
package fair

import (
	"time"

	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"

	"headstart.dev/headstart/internal/fairqueue"
)

// requests is a [fairqueue.Queue] of a controller's requests.
type requests struct{ *fairqueue.Queue }

var _ workqueue.TypedInterface[ctrl.Request] = requests{}

// Add implements [workqueue.TypedInterface].
func (q requests) Add(r ctrl.Request) { q.Queue.Add(r.NamespacedName) }

// Get implements [workqueue.TypedInterface].
func (q requests) Get() (ctrl.Request, bool) {
	key, shutdown := q.Queue.Get()
	return ctrl.Request{NamespacedName: key}, shutdown
}

// Done implements [workqueue.TypedInterface].
func (q requests) Done(r ctrl.Request) { q.Queue.Done(r.NamespacedName) }

// Queue returns the constructor of the queue of a controller with so many workers. Namespaces share
// them by the time that their requests take, so that the expensive ones of one namespace do not
// delay those of others. A namespace's use counts half after halfLife.
func Queue(workers int, halfLife time.Duration) func(
	name string, limiter workqueue.TypedRateLimiter[ctrl.Request],
) workqueue.TypedRateLimitingInterface[ctrl.Request] {
	return func(
		name string, limiter workqueue.TypedRateLimiter[ctrl.Request],
	) workqueue.TypedRateLimitingInterface[ctrl.Request] {
		shared := requests{fairqueue.New(workers, halfLife, clock.RealClock{})}
		delaying := workqueue.NewTypedDelayingQueueWithConfig(
			workqueue.TypedDelayingQueueConfig[ctrl.Request]{Name: name, Queue: shared})
		return workqueue.NewTypedRateLimitingQueueWithConfig(limiter,
			workqueue.TypedRateLimitingQueueConfig[ctrl.Request]{Name: name, DelayingQueue: delaying})
	}
}
