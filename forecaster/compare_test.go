package forecaster

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"headstart.dev/headstart/forecaster/internal/synthetic"
)

// Contracts to compare change nothing about what the contract decides. A higher one provisions for
// more, on average.
func TestCompare(t *testing.T) {
	s := Series{Start: epoch, Step: 10 * time.Minute, Values: synthetic.Wave(3000, 144, 5)}
	cases := map[string]struct {
		reason   string
		own      Contract
		compared []Contract
		known    int
	}{
		"ShortageCosts": {
			"the experts of all costs follow the same candidates",
			Contract{ShortageCost: 20},
			[]Contract{{ShortageCost: 2}, {ShortageCost: 8}, {ShortageCost: 60}, {ShortageCost: 1000}},
			2600,
		},
		"ServiceLevels": {
			"each level has margins of its own",
			Contract{ServiceLevel: 0.99},
			[]Contract{{ServiceLevel: 0.5}, {ServiceLevel: 0.9}, {ServiceLevel: 0.97}, {ServiceLevel: 0.999}},
			2600,
		},
		"Young": {
			"without a regression there are still experts",
			Contract{ShortageCost: 20},
			[]Contract{{ShortageCost: 2}, {ShortageCost: 1000}},
			40,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := Options{Step: s.Step, Lead: 2, Horizon: 20, Contract: tc.own}
			alone := mustNew(t, o)
			o.Compare = tc.compared
			both := mustNew(t, o)
			known := Series{Start: s.Start, Step: s.Step, Values: s.Values[:tc.known]}
			for _, f := range []*Forecaster{alone, both} {
				if err := f.Start(known); err != nil {
					t.Fatal(err)
				}
			}
			sums := make([]float64, len(tc.compared))
			for _, v := range s.Values[tc.known:min(len(s.Values), tc.known+300)] {
				if diff := cmp.Diff(alone.Outlook(), both.Outlook()); diff != "" {
					t.Fatalf("%s: what is compared changes what is served: -alone, +both\n%s", tc.reason, diff)
				}
				got := both.Compared(5)
				for k, outlook := range got {
					o := o
					o.Horizon = 5
					if err := checkOutlook(outlook, o); err != nil {
						t.Fatalf("%s: %v: %v", tc.reason, tc.compared[k], err)
					}
					sums[k] += outlook.Cover[0]
				}
				for _, f := range []*Forecaster{alone, both} {
					if err := f.Update(v); err != nil {
						t.Fatal(err)
					}
				}
			}
			for k := 1; k < len(sums); k++ {
				if sums[k] <= sums[k-1] {
					t.Errorf("%s: %v provisions for no more than %v: %v", tc.reason, tc.compared[k], tc.compared[k-1], sums)
				}
			}
		})
	}
}

// Contracts of another kind have no candidates in common, and are refused.
func TestCompareRefusesOtherKinds(t *testing.T) {
	for name, tc := range map[string]struct{ own, compared Contract }{
		"a level beside a cost":        {Contract{ShortageCost: 20}, Contract{ServiceLevel: 0.9}},
		"a cost beside a level":        {Contract{ServiceLevel: 0.9}, Contract{ShortageCost: 20}},
		"one that is none":             {Contract{ServiceLevel: 0.9}, Contract{}},
		"a cost that is not above one": {Contract{ShortageCost: 20}, Contract{ShortageCost: 1}},
	} {
		if _, err := New(Options{Step: time.Minute, Contract: tc.own, Compare: []Contract{tc.compared}}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Half covers lead windows about as often as not, and changes nothing about what is served.
func TestHalf(t *testing.T) {
	s := Series{Start: epoch, Step: 10 * time.Minute, Values: synthetic.Wave(3000, 144, 5)}
	o := Options{Step: s.Step, Lead: 2, Horizon: 20, Contract: Contract{ServiceLevel: 0.99}}
	alone := mustNew(t, o)
	o.Half = true
	both := mustNew(t, o)
	const known = 2200
	for _, f := range []*Forecaster{alone, both} {
		if err := f.Start(Series{Start: s.Start, Step: s.Step, Values: s.Values[:known]}); err != nil {
			t.Fatal(err)
		}
	}
	covered, n := 0.0, 0.0
	for i := known; i+3 <= len(s.Values); i++ {
		got := both.Outlook()
		if len(got.Half) != len(got.Cover) {
			t.Fatalf("Half has %d steps, Cover %d", len(got.Half), len(got.Cover))
		}
		for k, v := range got.Half {
			if !(v >= 0 && v <= got.Cover[k]) {
				t.Fatalf("step %d: Half is %v, Cover %v", k, v, got.Cover[k])
			}
		}
		if n++; max(s.Values[i], s.Values[i+1], s.Values[i+2]) <= got.Half[0] {
			covered++
		}
		got.Half = nil
		if diff := cmp.Diff(alone.Outlook(), got); diff != "" {
			t.Fatalf("Half changes what is served: -alone, +both\n%s", diff)
		}
		for _, f := range []*Forecaster{alone, both} {
			if err := f.Update(s.Values[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if share := covered / n; share < 0.4 || share > 0.6 {
		t.Errorf("%.2f of the lead windows are covered, want about a half", share)
	}
	o.Contract = Contract{ShortageCost: 20}
	if _, err := New(o); err == nil {
		t.Error("Half is accepted with a shortage cost")
	}
}
