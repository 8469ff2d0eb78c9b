package warm

import (
	"net/http"
	"testing"
	"time"
)

// writesRejected is the time for which the API server rejects writes. By its end the warmer has
// backed off to one reconciliation a minute.
const writesRejected = 130 * time.Second

// An API server that rejects writes for a while is a fault as those of TestWarmFaults. It has a
// world of its own, because the backoff takes minutes, in which the other faults are tested.
func TestWarmWritesRejected(t *testing.T) {
	t.Parallel() // waits most of the time
	w := newFaultWorld(t)
	w.simulateKubelets(imageThere)
	w.setImage(imageThere)
	w.awaitRecovery()

	begin := time.Now()
	w.proxy.refuse(true)
	w.plan(time.Now(), repeat(3, 20*time.Minute)) // three must be removed
	w.checkRequests("an API server that rejects writes", writesRejected)
	if all, _ := w.placeholders(); all != faultNodes {
		t.Fatalf("%d placeholders: their deletion was not rejected, the fault was not simulated", all)
	}
	rejected := 0
	for _, r := range w.proxy.since(begin) {
		if r.status == http.StatusServiceUnavailable && r.counted() {
			rejected++
		}
	}
	if rejected == 0 {
		t.Error("no write was rejected: the fault was not simulated")
	}

	begin = time.Now()
	w.proxy.refuse(false)
	w.await("everything missed is done", func() bool {
		all, _ := w.placeholders()
		s := w.status()
		return all == 3 && s.Forecasts[0].Hold == 3 && s.reason("Ready") == "True AsPlanned"
	})
	t.Logf("everything missed was done after %s", time.Since(begin).Round(time.Second))
	w.plan(time.Now(), repeat(faultNodes, 20*time.Minute))
	w.await("the warmer goes on", w.hasPlaceholders(faultNodes))
	time.Sleep(10 * time.Second)
	w.checkRequestsSince("an API server that accepts writes again", begin)
	if all, _ := w.placeholders(); all != faultNodes {
		t.Errorf("%d placeholders, want %d", all, faultNodes)
	}
}
