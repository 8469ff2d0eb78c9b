package capacity_test

import (
	"testing"

	"headstart.dev/headstart/testdata/queues"
)

func TestTrace(t *testing.T) {
	const at = 3*1440 + 13*60
	for _, w := range queues.Worlds() {
		if w.Name != "web" && w.Name != "chat" {
			continue
		}
		trace = func(i int, e capEstimate) {
			if i >= at && (i-at)%120 == 0 {
				t.Logf("+%4d min used %.2f cap %.2f lower %.2f carried %.2f %s %s steps %.0f missed %.0f", i-at, e.Used/w.Capacity, e.Capacity/w.Capacity, e.Lower/w.Capacity, e.Carried/w.Capacity, e.Source, e.Missing, e.Steps, e.Missed)
			}
		}
		o := loop{world: w, seed: 1, days: 5, replicas: 8, usual: 1 * w.Capacity, lengths: func(i int) float64 {
			if i < at {
				return 1
			}
			return w.Longer
		}}.run(t)
		for k := at; k < len(o.missed); k += 120 {
			n := 0
			for _, m := range o.missed[k:min(k+120, len(o.missed))] {
				if m {
					n++
				}
			}
			t.Logf("+%4d missed %d", k-at, n)
		}
		trace = nil
	}
}
