package capacity

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/test/controlplane"
	"headstart.dev/headstart/test/harness"
	"headstart.dev/headstart/test/simulator"
)

// The compressed day of the test. Two hours of a day are forty steps.
const (
	step        = time.Second
	day         = 8 * time.Minute
	stepsPerDay = int(day / step)
	hour        = day / 24
	pastDays    = 8
	hpaSync     = 2 * time.Second
	namespace   = "shop"

	before, after = 22.0, 11.0 // requests per second that a replica serves within the objective
	objective     = 0.5        // seconds
	halves        = 8 * hour   // when the capacity does
)

const (
	learned = "learned" // Headstart learns its capacity
	fixed   = "fixed"   // its capacity stays as it was configured
)

// demand is low at night, and high from the morning to the evening.
func demand() []float64 {
	r := rand.New(rand.NewPCG(5, 1))
	values := make([]float64, (pastDays+2)*stepsPerDay)
	for i := range values {
		at := 2 * math.Pi * (float64(i)/float64(stepsPerDay) - 0.55)
		values[i] = (70 + 50*math.Tanh(2*math.Cos(at))/math.Tanh(2)) * (1 + 0.01*r.NormFloat64())
	}
	return values
}

func world(t *testing.T) *harness.World {
	t.Helper()
	cp := controlplane.DefaultOptions(env.layout.Bin)
	cp.StateRoot, cp.Log, cp.HPASyncPeriod = t.TempDir(), t.Output(), hpaSync
	cp.Nodes = []controlplane.NodePool{controlplane.GPUNodes(8, 8)}
	service := func(name string, learns bool) harness.Service {
		return harness.Service{
			Namespace: namespace, Name: name, Mode: "Active", Capacity: before, Min: 1, Max: 30,
			Objective: objective, Learned: learns,
			WarmUp:          controlplane.WarmUp{Create: 2 * time.Second, Load: 4 * time.Second},
			ScaleDownWindow: 12 * time.Second, ProvisionFor: `{serviceLevel: "0.95"}`,
			Step: step, Horizon: day, History: (pastDays + 1) * day, DefaultLead: 10 * time.Second,
		}
	}
	w, err := harness.NewWorld(t.Context(), harness.WorldOptions{
		Layout: env.layout, Log: t.Output(), ControlPlane: cp, Step: step,
		Values: demand(), Past: pastDays * stepsPerDay, SetUp: 80 * time.Second,
		Services: []harness.Service{service(learned, true), service(fixed, false)},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return w
}

// TestCapacityHalves halves what a replica serves in the morning of a day. The HPA of the service is
// not touched.
func TestCapacityHalves(t *testing.T) {
	w := world(t)
	if err := w.AwaitStart(t.Context()); err != nil {
		t.Fatal(err)
	}
	hpaBefore := hpaSpec(t, w)
	begin := w.Simulator.Accounts()
	rest(t, w, halves)
	morning := since(w, begin)
	for _, name := range []string{learned, fixed} {
		w.Simulator.SetCapacity(name, after)
	}
	changed := w.Simulator.Accounts()
	rest(t, w, halves+4*hour)
	follows := since(w, changed)
	settled := w.Simulator.Accounts()
	seen := rest(t, w, 20*hour)
	busy := since(w, settled)
	for _, period := range []struct {
		name     string
		accounts map[string]simulator.Account
	}{{"before", morning}, {"the four hours after", follows}, {"then", busy}} {
		for _, name := range []string{learned, fixed} {
			a := period.accounts[name]
			t.Logf("%-20s %-8s objective met %5.1f %%, unserved %5.2f %%, %.3f replica-hours", period.name, name,
				100*a.Attained(), 100*a.Unserved(), a.ReplicaHours())
		}
	}
	if got := morning[learned].Attained(); got < 0.9 {
		t.Errorf("with the old capacity the objective is met %.3f of the time, want at least 0.9", got)
	}
	if got := busy[fixed].Attained(); got > 0.5 {
		t.Errorf("a fixed capacity meets the objective %.3f of the time: the scenario is too easy, want at most 0.5", got)
	}
	if got := busy[learned].Attained(); got < 0.9 {
		t.Errorf("with the new capacity the objective is met %.3f of the time, want at least 0.9", got)
	}
	if got := busy[learned].Unserved(); got > 0.02 {
		t.Errorf("with the new capacity %.3f of the demand is unserved, want at most 0.02", got)
	}
	checkStatus(t, w, seen)
	if hpaAfter := hpaSpec(t, w); hpaAfter != hpaBefore {
		t.Errorf("the HPA was changed:\n%s\n%s", hpaBefore, hpaAfter)
	}
	if err := w.Failed(); err != nil {
		t.Error(err)
	}
}

// checkStatus checks what the Forecast says about the capacity at the end of the day, and which ones it
// had in the busy hours.
func checkStatus(t *testing.T, w *harness.World, seen []float64) {
	t.Helper()
	f, err := harness.GetForecast(t.Context(), w.ControlPlane, namespace, learned)
	if err != nil {
		t.Fatal(err)
	}
	known := f.Condition("CapacityKnown")
	t.Logf("%s %s: %s", known.Status, known.Reason, known.Message)
	c := f.Status.CapacityPerReplica
	if c == nil || c.Source != "Learned" || known.Status != metav1.ConditionTrue {
		t.Fatalf("the capacity is %+v, and the condition %+v", c, known)
	}
	if len(seen) < 10 {
		t.Fatalf("only %d capacities were seen in the busy hours", len(seen))
	}
	slices.Sort(seen)
	// It comes back slowly from below after the change, since one that is too high costs more. In the
	// evening, when every replica has little to do, it rises a little above the truth.
	if v := seen[len(seen)/2]; v < 0.65*after || v > 1.1*after {
		t.Errorf("the median of the learned capacities is %.2f, want about %.1f", v, after)
	}
	if least, most := seen[0], seen[len(seen)-1]; least < 0.5*after || most > 1.25*after {
		t.Errorf("the learned capacity went from %.2f to %.2f, want about %.1f", least, most, after)
	}
}

// rest waits until an instant of the day. It returns the capacities that the Forecast had until then.
func rest(t *testing.T, w *harness.World, until time.Duration) (seen []float64) {
	t.Helper()
	for end := w.Start.Add(until); time.Now().Before(end); {
		time.Sleep(min(5*time.Second, time.Until(end)))
		if err := w.Failed(); err != nil {
			t.Fatal(err)
		}
		if f, err := harness.GetForecast(t.Context(), w.ControlPlane, namespace, learned); err == nil {
			s, c := w.Simulator.State(learned), f.Status.CapacityPerReplica
			if c == nil {
				continue
			}
			seen = append(seen, c.Value.AsApproximateFloat64())
			t.Logf("%4.1f h: demand %5.1f, %2d of %2d replicas, capacity %5.2f (%s)", time.Since(w.Start).Hours()/day.Hours()*24,
				s.Demand, s.Ready, s.Wanted, seen[len(seen)-1], c.Source)
		}
	}
	return seen
}

// since returns what the services did since their accounts were as given.
func since(w *harness.World, begin map[string]simulator.Account) map[string]simulator.Account {
	out := w.Simulator.Accounts()
	for name, a := range out {
		out[name] = a.Sub(begin[name])
	}
	return out
}

// hpaSpec returns the spec of the HPA, as text.
func hpaSpec(t *testing.T, w *harness.World) string {
	t.Helper()
	hpa, err := w.Client.AutoscalingV2().HorizontalPodAutoscalers(namespace).Get(t.Context(), learned, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(hpa.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
