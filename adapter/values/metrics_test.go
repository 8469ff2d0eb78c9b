package values

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	clocktesting "k8s.io/utils/clock/testing"
)

func TestObserverReportsDroppedFloors(t *testing.T) {
	values := map[string]float64{"q": 5}
	o := newTestObserver(values)
	c := o.clock.(*clocktesting.FakeClock)
	key, q := named("fc"), Query{Expr: "q", Source: "default"}
	o.follow(key, q)
	changes := func() int {
		n := 0
		for len(o.changes) > 0 {
			<-o.changes
			n++
		}
		return n
	}
	poll := func(after time.Duration) int {
		c.Step(after)
		o.poll(t.Context(), key, q)
		return changes()
	}
	if n := poll(0); n != 0 {
		t.Errorf("%d changes after a good first poll, want none", n)
	}
	delete(values, "q")
	sent := 0
	for range 10 {
		sent += poll(30 * time.Second)
	}
	if sent != 1 {
		t.Errorf("%d changes for one dropped floor, want 1", sent)
	}
	expect := func(dropped string) {
		t.Helper()
		text := `# HELP headstart_forecast_floor_dropped 1 while observed demand is older than three polls, ` +
			`or was never polled, and does not hold the served metric of this replica up; else 0. ` +
			`It has the Forecasts that this replica owns, or was asked for lately.
# TYPE headstart_forecast_floor_dropped gauge
headstart_forecast_floor_dropped{forecast="fc",namespace="shop"} ` + dropped + "\n"
		err := testutil.CollectAndCompare(o, strings.NewReader(text), "headstart_forecast_floor_dropped")
		if err != nil {
			t.Error(err)
		}
	}
	expect("1")
	values["q"] = 5
	if n := poll(30 * time.Second); n != 1 {
		t.Errorf("%d changes for a floor that is back, want 1", n)
	}
	expect("0")
}
