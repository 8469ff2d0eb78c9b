package planner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

func goodSpec() v1alpha1.ForecastSpec {
	return v1alpha1.ForecastSpec{
		Demand: &v1alpha1.DemandSource{
			Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(requests_total[1m]))"},
		},
		TargetRef:    v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion"},
		ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: new(v1alpha1.Decimal("0.99"))},
	}
}

func TestParseSpecDefaults(t *testing.T) {
	spec := goodSpec()
	got, err := ParseSpec(&spec)
	if err != nil {
		t.Fatal(err)
	}
	if got.Step != time.Minute || got.History != 28*24*time.Hour {
		t.Errorf("resolution %v, history %v; want the documented defaults", got.Step, got.History)
	}
	if got.Settle != 30*time.Second || got.Horizon != 24*time.Hour {
		t.Errorf("settle %v, horizon %v; want the documented defaults", got.Settle, got.Horizon)
	}
	if got.Source != "default" || got.Mode != v1alpha1.ForecastActive || got.Expiry != v1alpha1.ExpiryError {
		t.Errorf("got %+v", got)
	}
	if got.Contract.ServiceLevel != 0.99 {
		t.Errorf("contract = %+v", got.Contract)
	}
	lead := LeadSettings{Default: 5 * time.Minute, Max: 30 * time.Minute, Percentile: 90}
	if got.Lead != lead {
		t.Errorf("lead = %+v, want %+v", got.Lead, lead)
	}
}

func TestParseSpecRejectsInvalidSpecs(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.ForecastSpec)
		want   []string // Parts of the message: the field and what to do.
	}{
		"ServiceLevelZero": {
			"a promise of nothing",
			func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = new(v1alpha1.Decimal("0")) },
			[]string{"spec.provisionFor.serviceLevel", "0.5 to 0.9999"},
		},
		"ServiceLevelOne": {
			"no forecast can promise certainty",
			func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = new(v1alpha1.Decimal("1")) },
			[]string{"serviceLevel", "0.99"},
		},
		"ServiceLevelOver": {
			"a percentage, or a typing error",
			func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = new(v1alpha1.Decimal("1.5")) },
			[]string{"serviceLevel", "0.99"},
		},
		"Both": {
			"two contracts at once",
			func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ShortageCost = new(v1alpha1.Decimal("20")) },
			[]string{"spec.provisionFor", "not both"},
		},
		"Neither": {
			"no contract",
			func(s *v1alpha1.ForecastSpec) { s.ProvisionFor = v1alpha1.ProvisionFor{} },
			[]string{"spec.provisionFor", "serviceLevel", "shortageCost"},
		},
		"CostOne": {"at cost 1 the best policy serves nothing", func(s *v1alpha1.ForecastSpec) {
			s.ProvisionFor = v1alpha1.ProvisionFor{ShortageCost: new(v1alpha1.Decimal("1"))}
		}, []string{"shortageCost", "above 1"}},
		"UnknownZone": {
			"a silent fallback would shift every day",
			func(s *v1alpha1.ForecastSpec) { s.Seasonality.TimeZone = "Mars/Olympus" },
			[]string{"spec.seasonality.timeZone", "Mars/Olympus", "IANA"},
		},
		"LocalZone": {
			"Local means another zone on another machine",
			func(s *v1alpha1.ForecastSpec) { s.Seasonality.TimeZone = "Local" },
			[]string{"timeZone", "Local"},
		},
		"BadDuration": {
			"a unit is missing",
			func(s *v1alpha1.ForecastSpec) { s.Horizon = "24" },
			[]string{"spec.horizon", "24"},
		},
		"TooFine": {
			"below a second pods and metrics have no resolution",
			func(s *v1alpha1.ForecastSpec) { s.Demand.Resolution = "100ms" },
			[]string{"spec.demand.resolution", "1s"},
		},
		"TooMuch": {
			"a year of seconds does not fit into memory",
			func(s *v1alpha1.ForecastSpec) { s.Demand.Resolution, s.Demand.History = "1s", "1y" },
			[]string{"spec.demand.history", "coarser"},
		},
		"FixedWithout": {
			"mode Fixed without a value",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Mode = v1alpha1.LeadTimeFixed },
			[]string{"spec.leadTime.fixed"},
		},
		"FixedTooLong": {
			"a plan for a lead of a century would need all the memory of the process",
			func(s *v1alpha1.ForecastSpec) {
				s.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("100y"))}
			},
			[]string{"spec.leadTime.fixed", "1d", "shorten"},
		},
		"SettleTooLong": {
			"settle is part of the lead",
			func(s *v1alpha1.ForecastSpec) { s.Demand.Settle = "100y" },
			[]string{"spec.demand.settle", "shorten"},
		},
		"MaxTooLong": {
			"the sum of two such durations overflows",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Max = "292y" },
			[]string{"spec.leadTime.max", "shorten"},
		},
		"LeadTimesSteps": {
			"10,000 steps of lead for each of 1,000 steps take seconds of a worker that others wait for",
			func(s *v1alpha1.ForecastSpec) {
				s.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("10000s"))}
				s.Demand.Resolution, s.Demand.History, s.Horizon = "1s", "1d", "1000s"
			},
			[]string{"spec.leadTime", "10000 and 1000 steps", "spec.horizon"},
		},
		"LeadTooFine": {"a lead of a day has too many steps of a second", func(s *v1alpha1.ForecastSpec) {
			s.LeadTime.Max, s.Demand.Resolution, s.Demand.History, s.Horizon = "1d", "1s", "1d", "1h"
		}, []string{"spec.leadTime", "coarser"}},
		"DefaultZero": {
			"a start takes some time",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Default = new(v1alpha1.Duration("0s")) },
			[]string{"spec.leadTime.default", "5m"},
		},
		"DefaultWithoutUnit": {
			"a unit is missing",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Default = new(v1alpha1.Duration("5")) },
			[]string{"spec.leadTime.default", `"5"`},
		},
		"MaxZero": {
			"a start takes some time",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Max = "0s" },
			[]string{"spec.leadTime.max", "30m"},
		},
		"Percentile": {
			"the highest percentile is 99",
			func(s *v1alpha1.ForecastSpec) { s.LeadTime.Percentile = 100 },
			[]string{"spec.leadTime.percentile", "99"},
		},
		"LeadBeyondForecaster": {
			"with settle and the delay of the control loop the lead is longer than the forecaster supports",
			func(s *v1alpha1.ForecastSpec) {
				s.LeadTime.Max, s.Demand.Resolution, s.Demand.History, s.Horizon = "10060s", "1s", "1d", "1h"
			},
			[]string{"spec.leadTime", "10080"},
		},
		"HorizonTooShort": {
			"a plan begins where the series ends, which is settle before now",
			func(s *v1alpha1.ForecastSpec) { s.Horizon, s.Demand.Settle = "2m", "90s" },
			[]string{"spec.horizon", "spec.demand.settle"},
		},
		"BoundsCrossed": {"min above max", func(s *v1alpha1.ForecastSpec) {
			s.Bounds = v1alpha1.Bounds{Min: new(resource.MustParse("5")), Max: new(resource.MustParse("4"))}
		}, []string{"spec.bounds"}},
		"PeriodTooShort": {
			"a period of one step is no period",
			func(s *v1alpha1.ForecastSpec) { s.Seasonality.Periods = []v1alpha1.Duration{"1m"} },
			[]string{"spec.seasonality.periods"},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := goodSpec()
			c.change(&spec)
			_, err := ParseSpec(&spec)
			if err == nil {
				t.Fatalf("the spec is accepted: %s", c.reason)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q does not contain %q", err, part)
				}
			}
		})
	}
}

func TestParseSpecNamesAllInvalidFields(t *testing.T) {
	spec := goodSpec()
	spec.Seasonality.TimeZone, spec.Horizon, spec.ProvisionFor = "Nowhere", "soon", v1alpha1.ProvisionFor{}
	_, err := ParseSpec(&spec)
	for _, field := range []string{"timeZone", "horizon", "provisionFor"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

// A lead of a day and a horizon of a week at one minute are not too much.
func TestLongLeadIsAccepted(t *testing.T) {
	spec := goodSpec()
	spec.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("1d"))}
	spec.Horizon = "1w"
	if _, err := ParseSpec(&spec); err != nil {
		t.Error(err)
	}
}

// The forecaster supports every lead that the settings accept.
func TestForecasterSupportsEveryAcceptedLead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := goodSpec()
		step := rapid.IntRange(1, 120).Draw(t, "step")
		lead := rapid.IntRange(1, 86400).Draw(t, "lead")
		settle := rapid.IntRange(0, 600).Draw(t, "settle")
		spec.Demand.Resolution, spec.Demand.Settle = seconds(step), seconds(settle)
		spec.Demand.History, spec.Horizon = seconds(1000*step), seconds(10*step+settle)
		fixed := rapid.Bool().Draw(t, "fixed")
		if spec.LeadTime.Max = seconds(lead); fixed {
			spec.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(seconds(lead))}
		}
		set, err := ParseSpec(&spec)
		if err != nil {
			return
		}
		longest := time.Duration(lead) * time.Second
		if !fixed {
			longest += set.Settle + loopAllowance
		}
		opts := forecaster.Options{Step: set.Step, Lead: LeadSteps(longest, set.Step), Contract: set.Contract}
		if _, err := forecaster.New(opts); err != nil {
			t.Fatal(err)
		}
	})
}

func seconds(n int) v1alpha1.Duration { return v1alpha1.FormatDuration(time.Duration(n) * time.Second) }

// Forecasts are fitted at different times of the fit interval, and each always at the same.
func TestFitsAreSpread(t *testing.T) {
	const forecasts, parts = 3000, 24
	var counts [parts]int
	for i := range forecasts {
		fc := &v1alpha1.Forecast{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team", Name: fmt.Sprint("model-", i)}, Spec: goodSpec(),
		}
		set, err := Parse(fc)
		if err != nil {
			t.Fatal(err)
		}
		every := forecaster.FitInterval(set.Step)
		if set.FitOffset < 0 || set.FitOffset >= every || set.FitOffset%time.Second != 0 {
			t.Fatalf("an offset of %s within an interval of %s", set.FitOffset, every)
		}
		counts[int(set.FitOffset*parts/every)]++
		if again, _ := NewSettings(fc, Autoscalers{}, time.Second); again.FitOffset != set.FitOffset {
			t.Fatalf("%s has the offsets %s and %s", fc.Name, set.FitOffset, again.FitOffset)
		}
	}
	for part, n := range counts {
		if mean := forecasts / parts; n < mean/2 || n > 2*mean {
			t.Errorf("%d fits in part %d of %d, want about %d", n, part, parts, mean)
		}
	}
}
