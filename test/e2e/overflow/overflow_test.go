package overflow

import (
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// tick is the state of an instant.
type tick struct {
	at          time.Duration // since the start
	b, reactive simulator.State
	stuck, iron int // pods of gold without a node, and of iron
	held        int // places that the WarmPool of B holds on nodes
}

// account has what was offered, and what was not served.
type account struct {
	offered, unserved, unservedReactive float64
	paidA                               float64       // replica-hours in A, which both have
	nodes, nodesReactive                float64       // node-hours in B
	lead                                time.Duration // in B
}

// TestOverflow runs one day: A is full at noon, and B serves the rest. Its checks share the day.
func TestOverflow(t *testing.T) {
	p := newPair(t)
	t.Run("BadInput", p.testBadInput)
	overflows := func(f *harness.Forecast) bool {
		return f.Condition("FitsCluster").Reason == "MaxReplicas" && harness.Ready(f)
	}
	read := func(f *harness.Forecast) bool {
		return f.Condition("OverflowRead").Reason == "Read" && harness.Ready(f)
	}
	if _, err := harness.AwaitForecast(t.Context(), p.ControlPlane, namespace, web, time.Minute, overflows); err != nil {
		t.Fatal(err)
	}
	if _, err := harness.AwaitForecast(t.Context(), p.b, namespace, web, time.Minute, read); err != nil {
		t.Fatalf("%v\nthe end of the log:\n%s", err, p.headstartB.Tail())
	}
	if _, err := harness.AwaitForecast(t.Context(), p.b, namespace, reactive, time.Minute, harness.Ready); err != nil {
		t.Fatal(err)
	}
	if err := p.AwaitStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin, beginA := p.far.Accounts(), p.Simulator.Accounts()[web]
	nodes, nodesReactive := p.nodes.hours(), p.nodesReactive.hours()
	ticks, sum := p.observe(t, 0, day)
	end := p.far.Accounts()
	sum.paidA = p.Simulator.Accounts()[web].Sub(beginA).ReplicaHours()
	sum.nodes, sum.nodesReactive = p.nodes.hours()-nodes, p.nodesReactive.hours()-nodesReactive
	leadOf(t, "A", p.ControlPlane)
	sum.lead = leadOf(t, "B", p.b)
	t.Run("AheadBeatsReactive", func(t *testing.T) {
		checkVerdict(t, sum, end[web].Sub(begin[web]), end[reactive].Sub(begin[reactive]))
		checkNight(t, ticks, sum.lead)
		checkHeld(t, ticks)
	})
	t.Run("RestartMovesNothing", func(t *testing.T) { checkRestart(t, ticks) })
	t.Run("Priority", func(t *testing.T) { checkPriority(t, ticks) })
	t.Run("LinkAway", p.testLinkAway)
}

// leadOf returns the lead of the service in a cluster, and logs it, since it explains the
// replica-hours.
func leadOf(t *testing.T, name string, c *controlplane.ControlPlane) time.Duration {
	t.Helper()
	f, err := harness.GetForecast(t.Context(), c, namespace, web)
	if err != nil || f.Status.LeadTime == nil {
		t.Fatalf("no lead in %s: %v", name, err)
	}
	l := f.Status.LeadTime
	t.Logf("the lead in %s is %s, %s, from %d starts", name, l.Value, l.Source, l.Starts)
	lead, err := time.ParseDuration(l.Value)
	if err != nil {
		t.Fatal(err)
	}
	return lead
}

// observe records a span of the days, and restarts A's headstart within the top.
func (p *pair) observe(t *testing.T, from, to time.Duration) ([]tick, account) {
	t.Helper()
	const every = 500 * time.Millisecond
	var ticks []tick
	var sum account
	share, restarted := 1.0, false
	for at := from; at < to; at += every {
		time.Sleep(time.Until(p.Start.Add(at)))
		if err := p.Failed(); err != nil {
			t.Fatal(err)
		}
		if !restarted && at > top+4*time.Second {
			restarted = true
			if _, err := p.Restart(t.Context(), 0); err != nil {
				t.Fatal(err)
			}
		}
		if here, err := p.share(t.Context()); err == nil {
			share = here // A gateway keeps the last one.
		}
		demand, a := p.Demand.At(time.Now()), p.Simulator.State(web)
		now := tick{at: at, b: p.far.State(web), reactive: p.far.State(reactive)}
		now.stuck, now.iron = p.pods(t)
		now.held = p.held(t)
		ticks = append(ticks, now)
		if len(ticks)%10 == 1 {
			t.Logf("%5.1f s: demand %3.0f, share here %.2f, A %d of %d, B %d of %d, reactive B %d of %d", at.Seconds(), demand,
				share, a.Ready, a.Wanted, now.b.Ready, now.b.Wanted, now.reactive.Ready, now.reactive.Wanted)
		}
		readyA := float64(a.Ready) * capacity
		sum.offered += demand
		sum.unserved += over(demand*share, readyA) + over(demand*(1-share), float64(now.b.Ready)*capacity)
		here := min(demand, fits*capacity) // what does not fit goes to the other cluster at once
		sum.unservedReactive += over(here, readyA) + over(demand-here, float64(now.reactive.Ready)*capacity)
	}
	return ticks, sum
}

func over(demand, served float64) float64 { return max(0, demand-served) }

// pods returns how many pods of gold have no node, and how many of iron have one.
func (p *pair) pods(t *testing.T) (stuck, others int) {
	t.Helper()
	list, err := p.Client.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range list.Items {
		switch pod.Labels[simulator.ServiceLabel] {
		case gold:
			if pod.Spec.NodeName == "" {
				stuck++
			}
		case iron:
			if pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
				others++
			}
		}
	}
	return stuck, others
}

// held returns how many places the WarmPool of B holds on nodes.
func (p *pair) held(t *testing.T) (n int) {
	t.Helper()
	list, err := p.b.Client.CoreV1().Pods("headstart-warm").List(t.Context(), metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		t.Fatal(err)
	}
	for _, pod := range list.Items {
		if pod.Spec.NodeName != "" && pod.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// checkVerdict compares the two services in B.
func checkVerdict(t *testing.T, sum account, ahead, late simulator.Account) {
	share, shareLate := sum.unserved/sum.offered, sum.unservedReactive/sum.offered
	hours := (sum.paidA + ahead.ReplicaHours()) / (sum.paidA + late.ReplicaHours())
	inB := ahead.ReplicaHours() / late.ReplicaHours()
	t.Logf("unserved with B by plan %.3f %%, with a reactive B %.3f %%: %.3f of it, at %.3f times the replica-hours of B "+
		"(%.3f times those of A and B, %.3f times the node-hours of B)", 100*share, 100*shareLate, share/shareLate, inB,
		hours, sum.nodes/sum.nodesReactive)
	if late.Paid <= late.Elapsed*3/2 {
		t.Errorf("the reactive service had %.1f replicas on average: it does not scale",
			late.Paid.Seconds()/late.Elapsed.Seconds())
	}
	if shareLate < 0.01 {
		t.Errorf("a reactive B leaves %.2f %% unserved: the scenario is too easy, want at least 1 %%", 100*shareLate)
	}
	if share > shareLate/5 {
		t.Errorf("the plan leaves %.3f of the reactive share unserved, want at most 0.2", share/shareLate)
	}
	if hours > 1.3 {
		t.Errorf("the plan takes %.3f times the replica-hours of A and B, want at most 1.3", hours)
	}
	// Pods of a slow machine take longer to start, and so B begins earlier. Such a machine also delays
	// the plan, the HPA and the way back, by about as much.
	most := 1.3 + 2*max(0, (sum.lead-nominalLead).Seconds())*float64(fits/2)/late.Paid.Seconds()
	if inB > most {
		t.Errorf("the plan takes %.3f times the replica-hours of B, want at most %.3f with a lead of %s", inB, most, sum.lead)
	}
}

// nominalLead is the lead of B on a machine that is fast enough: 12 s of a pod, the HPA's sync, a
// second for the plan to travel, and what the default of 16 s still adds after a few starts.
const nominalLead = 17 * time.Second

// checkNight wants B at its minimum outside of the peak, and of the lead before it.
func checkNight(t *testing.T, ticks []tick, lead time.Duration) {
	for _, x := range ticks {
		if night := x.at < rise-max(lead, nominalLead) || x.at > 22*hour+hour/2; night && x.b.Wanted != 1 {
			t.Errorf("B has %d replicas %s into the day, want its minimum", x.b.Wanted, x.at)
			return
		}
	}
}

// checkHeld wants the WarmPool to hold nodes before the replicas come, and none at the end of the
// day.
func checkHeld(t *testing.T, ticks []tick) {
	most := 0
	for _, x := range ticks {
		if x.at < top {
			most = max(most, x.held)
		}
	}
	t.Logf("the WarmPool of B holds up to %d nodes before the peak", most)
	if last := ticks[len(ticks)-1]; most < 2 || last.held > 0 {
		t.Errorf("the WarmPool of B holds up to %d nodes before the peak, and %d at the end", most, last.held)
	}
}

// checkRestart wants the replicas in B to move by at most one around the restart in A.
func checkRestart(t *testing.T, ticks []tick) {
	var during []int
	for _, x := range ticks {
		if x.at >= top+3*time.Second && x.at < fall-2*time.Second {
			during = append(during, x.b.Wanted)
		}
	}
	least, most := slices.Min(during), slices.Max(during)
	t.Logf("B has %d to %d replicas around the restart", least, most)
	if most-least > 1 || least < 2 {
		t.Errorf("B moves from %d to %d replicas, want at most one, above its minimum", least, most)
	}
}

// checkPriority wants gold never to wait for a node while iron has more than its minimum. Pods have
// a moment to be scheduled.
func checkPriority(t *testing.T, ticks []tick) {
	const moment = 6 // ticks: three seconds
	waited, most := 0, 0
	for _, x := range ticks {
		most = max(most, x.iron)
		if x.stuck == 0 || x.iron <= 1 {
			waited = 0
			continue
		}
		if waited++; waited > moment {
			t.Fatalf("%s into the day %d pods of gold wait for a node, and iron has %d", x.at, x.stuck, x.iron)
		}
	}
	t.Logf("iron has up to %d replicas", most)
	if most < 3 {
		t.Errorf("iron has %d replicas at most: nothing was to be given up", most)
	}
}

// testLinkAway kills A's API server an hour before the next peak. B still serves it.
func (p *pair) testLinkAway(t *testing.T) {
	time.Sleep(time.Until(p.Start.Add(day + rise - hour)))
	p.KillAPIServer()
	away := func(f *harness.Forecast) bool {
		return f.Condition("OverflowRead").Reason == "LinkAway" && harness.Ready(f)
	}
	if f, err := harness.AwaitForecast(t.Context(), p.b, namespace, web, time.Minute, away); err != nil {
		t.Errorf("%v\nthe end of the log:\n%s", err, p.headstartB.Tail())
	} else {
		t.Log(f.Condition("OverflowRead").Message)
	}
	time.Sleep(time.Until(p.Start.Add(day + top + 2*hour)))
	ready := p.far.State(web).Ready
	t.Logf("B has %d ready replicas at the peak while A is away", ready)
	if want := fits / 2; ready < want {
		t.Errorf("B has %d ready replicas at the peak while A is away, want at least %d", ready, want)
	}
}
