package fair

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
)

// A hundred Forecasts of one namespace, each of which takes ten seconds to plan, delay a
// neighbour's plan by one turn only.
func TestSlowPlansOfOneNamespaceDoNotDelayAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		q := Queue(workers, 5*time.Minute)("test", workqueue.DefaultTypedControllerRateLimiter[ctrl.Request]())
		request := func(namespace, name string) ctrl.Request {
			return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
		}
		planned := make(chan time.Time, 100)
		var running sync.WaitGroup
		for range workers {
			running.Go(func() {
				for {
					r, shutdown := q.Get()
					if shutdown {
						return
					}
					if r.Namespace == "slow" {
						time.Sleep(10 * time.Second)
						q.AddRateLimited(r)
					} else {
						planned <- time.Now()
					}
					q.Done(r)
				}
			})
		}
		for i := range 100 {
			q.Add(request("slow", fmt.Sprint(i)))
		}
		time.Sleep(time.Minute)
		for range 30 {
			asked := time.Now()
			q.AddAfter(request("modest", "fc"), time.Second)
			if waited := (<-planned).Sub(asked); waited > 11*time.Second {
				t.Errorf("it was planned after %s, want one turn of 10 s at most", waited)
			}
			time.Sleep(7 * time.Second)
		}
		q.ShutDown()
		running.Wait() // They drain the queue.
	})
}
