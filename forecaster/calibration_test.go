package forecaster

import (
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/stats"
	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// A service level is kept on the second half of generated demand. The bench measures it on real
// traces.
func TestServiceLevelIsKept(t *testing.T) {
	const lead, level = 1, 0.95
	v := synthetic.Wave(144*16, 144, 9)
	f := mustNew(t, Options{Step: 10 * time.Minute, Lead: lead, Contract: Contract{ServiceLevel: level}})
	half := len(v) / 2
	if err := f.Start(Series{Start: epoch, Step: 10 * time.Minute, Values: v[:half]}); err != nil {
		t.Fatal(err)
	}
	var all proportion
	for i := half; i+lead < len(v); i++ {
		all.add(stats.Max(v[i:i+lead+1]) <= f.Outlook().Cover[0])
		if err := f.Update(v[i]); err != nil {
			t.Fatal(err)
		}
	}
	if math.Abs(all.share()-level) > 0.015 {
		t.Errorf("covered %.3f of the lead windows, want %g", all.share(), level)
	}
}
