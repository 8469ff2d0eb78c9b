package keda

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// TestOneDay tests one day of two ScaledObjects. A peak from zero and the renewal of the certificate
// fall into it, and faults follow. Because a day takes minutes, all share it.
func TestOneDay(t *testing.T) {
	t.Parallel()
	w := world(t)
	checkLinted(t, w)
	peak := nextMinute(time.Now().Add(launchAhead))
	if err := w.Apply(t.Context(), workload(launch, w.Scaler, peak, launchLasts, "")); err != nil {
		t.Fatal(err)
	}
	polls := watchPolls(t, w)
	handshakes := watchHandshakes(t, w)
	renewCertificate(t, w)
	applyMissing(t, w)
	if err := w.AwaitStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := w.Simulator.Accounts()
	t.Run("PeakFromZero", func(t *testing.T) { testFromZero(t, w, peak) })
	held := nextMinute(w.Start.Add(day + outage))
	applyHeld(t, w, held)
	time.Sleep(time.Until(w.Start.Add(day)))
	end := w.Simulator.Accounts()
	t.Run("AheadBeatsReactive", func(t *testing.T) {
		checkVerdict(t, end[reactive].Sub(begin[reactive]), end[ahead].Sub(begin[ahead]))
	})
	t.Run("CertificateRenewed", func(t *testing.T) { checkRenewal(t, polls, handshakes) })
	report(t, "KEDA's operator has %s of memory, its adapter %s", memory(w.KEDA.Operator), memory(w.KEDA.Adapter))
	t.Run("Fallback", func(t *testing.T) { testFallback(t, w) })
	t.Run("OneReplicaKilled", func(t *testing.T) { testOneReplicaKilled(t, w, polls) })
	t.Run("AllAway", func(t *testing.T) { testAllAway(t, w, held) })
	if err := w.Failed(); err != nil {
		t.Error(err)
	}
}

// checkLinted checks that Headstart has read the ScaledObject.
func checkLinted(t *testing.T, w *harness.World) {
	t.Helper()
	_, err := harness.AwaitForecast(t.Context(), w.ControlPlane, namespace, ahead, 2*time.Minute,
		func(f *harness.Forecast) bool {
			c := f.Condition("HPALinted")
			return c.Status == metav1.ConditionTrue && strings.Contains(c.Message, "keda-hpa-"+ahead)
		})
	if err != nil {
		t.Error(err)
	}
}

func checkVerdict(t *testing.T, a, b simulator.Account) {
	for name, x := range map[string]simulator.Account{reactive: a, ahead: b} {
		report(t, "%-10s unserved %6.3f %%, %.3f replica-hours, utilisation %.1f %%", name, 100*x.Unserved(),
			x.ReplicaHours(), 100*x.Utilisation())
	}
	if a.Unserved() < 0.02 {
		t.Errorf("the reactive service leaves %.2f %% unserved: the scenario is too easy, want at least 2 %%",
			100*a.Unserved())
	}
	if share := b.Unserved() / a.Unserved(); share > 0.2 {
		t.Errorf("headstart leaves %.3f of the reactive service's share unserved, want at most 0.2", share)
	}
	if hours := b.ReplicaHours() / a.ReplicaHours(); hours > 1.3 {
		t.Errorf("headstart takes %.3f times the replica-hours, want at most 1.3", hours)
	}
}
