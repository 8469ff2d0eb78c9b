package forecaster

import (
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// Thrift counts from the next fit on, and is taken back in the same way.
func TestThrift(t *testing.T) {
	s := Series{Start: epoch, Step: 10 * time.Minute, Values: synthetic.Wave(4032, 144, 5)}
	o := Options{Step: s.Step, Lead: 3, Horizon: 10, Contract: Contract{ShortageCost: 20}, MaxHistory: 1008}
	f := mustNew(t, o)
	if err := f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:1500]}); err != nil {
		t.Fatal(err)
	}
	trees := func() (n int) {
		for _, m := range f.Describe().Models {
			if strings.HasPrefix(m.Model, "trees") {
				n++
			}
		}
		return n
	}
	fits := func(from, to int) (n int) {
		for _, v := range s.Values[from:to] {
			before := f.state.fittedAt
			if err := f.Update(v); err != nil {
				t.Fatal(err)
			}
			if err := checkOutlook(f.Outlook(), o); err != nil {
				t.Fatal(err)
			}
			if f.state.fittedAt != before {
				n++
			}
		}
		return n
	}
	if n := trees(); n != 2 {
		t.Errorf("%d models are trees, want 2", n)
	}
	often := fits(1500, 2300)
	f.SetThrift(Thrift{FewerModels: true, RarerFits: true})
	rare := fits(2300, 3100)
	if n := trees(); n != 0 {
		t.Errorf("with fewer models, %d are trees", n)
	}
	if rare < 1 || rare > often/rareFits+1 {
		t.Errorf("%d fits in the time of %d", rare, often)
	}
	f.SetThrift(Thrift{})
	if again := fits(3100, 3900); again < often-1 || trees() != 2 {
		t.Errorf("afterwards: %d fits in the time of %d, %d trees", again, often, trees())
	}
}
