package planner

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
)

//go:fix inline
func ptr[T any](v T) *T { return new(v) }

func goodSpec() v1alpha1.ForecastSpec {
	return v1alpha1.ForecastSpec{
		Demand:       &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "sum(rate(requests_total[1m]))"}},
		TargetRef:    v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "face-fusion"},
		ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: ptr(v1alpha1.Decimal("0.99"))},
	}
}

func TestParseSpecDefaults(t *testing.T) {
	spec := goodSpec()
	got, err := ParseSpec(&spec)
	if err != nil {
		t.Fatal(err)
	}
	if got.Step != time.Minute || got.History != 28*24*time.Hour || got.Settle != 30*time.Second || got.Horizon != 24*time.Hour {
		t.Errorf("durations = %v %v %v %v, want the documented defaults", got.Step, got.History, got.Settle, got.Horizon)
	}
	if got.Source != "default" || got.Mode != v1alpha1.ForecastActive || got.Expiry != v1alpha1.ExpiryError || got.Contract.ServiceLevel != 0.99 {
		t.Errorf("got %+v", got)
	}
	if got.Lead.Default != 5*time.Minute || got.Lead.Configured || got.Lead.Percentile != 90 || got.Lead.Max != 30*time.Minute {
		t.Errorf("lead = %+v", got.Lead)
	}
}

func TestParseSpecRefuses(t *testing.T) {
	cases := map[string]struct {
		reason string
		change func(*v1alpha1.ForecastSpec)
		want   []string // parts of the message: the field and the remedy
	}{
		"ServiceLevelZero": {"a promise of nothing", func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = ptr(v1alpha1.Decimal("0")) }, []string{"spec.provisionFor.serviceLevel", "0.5 to 0.9999"}},
		"ServiceLevelOne":  {"no forecast can promise certainty", func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = ptr(v1alpha1.Decimal("1")) }, []string{"serviceLevel", "0.99"}},
		"ServiceLevelOver": {"a percentage, or a slip", func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ServiceLevel = ptr(v1alpha1.Decimal("1.5")) }, []string{"serviceLevel", "0.99"}},
		"Both":             {"two contracts at once", func(s *v1alpha1.ForecastSpec) { s.ProvisionFor.ShortageCost = ptr(v1alpha1.Decimal("20")) }, []string{"spec.provisionFor", "not both"}},
		"Neither":          {"no contract", func(s *v1alpha1.ForecastSpec) { s.ProvisionFor = v1alpha1.ProvisionFor{} }, []string{"spec.provisionFor", "serviceLevel", "shortageCost"}},
		"CostOne": {"at cost 1 nothing would be served", func(s *v1alpha1.ForecastSpec) {
			s.ProvisionFor = v1alpha1.ProvisionFor{ShortageCost: ptr(v1alpha1.Decimal("1"))}
		}, []string{"shortageCost", "above 1"}},
		"UnknownZone":  {"a silent fallback would shift every day", func(s *v1alpha1.ForecastSpec) { s.Seasonality.TimeZone = "Mars/Olympus" }, []string{"spec.seasonality.timeZone", "Mars/Olympus", "IANA"}},
		"LocalZone":    {"Local means another zone on another machine", func(s *v1alpha1.ForecastSpec) { s.Seasonality.TimeZone = "Local" }, []string{"timeZone", "Local"}},
		"BadDuration":  {"a unit is missing", func(s *v1alpha1.ForecastSpec) { s.Horizon = "24" }, []string{"spec.horizon", "24"}},
		"TooFine":      {"below a second pods and metrics have no resolution", func(s *v1alpha1.ForecastSpec) { s.Demand.Resolution = "100ms" }, []string{"spec.demand.resolution", "1s"}},
		"TooMuch":      {"a year of seconds does not fit", func(s *v1alpha1.ForecastSpec) { s.Demand.Resolution, s.Demand.History = "1s", "1y" }, []string{"spec.demand.history", "coarser"}},
		"FixedWithout": {"mode Fixed without a value", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Mode = v1alpha1.LeadTimeFixed }, []string{"spec.leadTime.fixed"}},
		"FixedForAges": {"a plan for a lead of a century takes all the memory, and every other Forecast's with it", func(s *v1alpha1.ForecastSpec) {
			s.LeadTime = v1alpha1.LeadTime{Mode: v1alpha1.LeadTimeFixed, Fixed: new(v1alpha1.Duration("100y"))}
		}, []string{"spec.leadTime.fixed", "1d", "shorten"}},
		"SettleForAges": {"what is waited for is part of the lead", func(s *v1alpha1.ForecastSpec) { s.Demand.Settle = "100y" }, []string{"spec.demand.settle", "shorten"}},
		"MaxForAges":    {"a sum of two such durations overflows", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Max = "292y" }, []string{"spec.leadTime.max", "shorten"}},
		"LeadTooFine": {"a day of seconds is more than a plan holds", func(s *v1alpha1.ForecastSpec) {
			s.LeadTime.Max, s.Demand.Resolution, s.Demand.History, s.Horizon = "1d", "1s", "1d", "1h"
		}, []string{"spec.leadTime", "coarser"}},
		"LearnedFromNothing": {"a start takes some time", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Default = new(v1alpha1.Duration("0s")) }, []string{"spec.leadTime.default", "5m"}},
		"DefaultWithoutUnit": {"a unit is missing", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Default = new(v1alpha1.Duration("5")) }, []string{"spec.leadTime.default", `"5"`}},
		"NothingBelieved":    {"a longest lead of nothing believes no start", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Max = "0s" }, []string{"spec.leadTime.max", "30m"}},
		"Percentile":         {"no percentile", func(s *v1alpha1.ForecastSpec) { s.LeadTime.Percentile = 100 }, []string{"spec.leadTime.percentile", "99"}},
		"LeadOfTheForecaster": {"with settle and the delay of the loop the lead is longer than the forecaster covers", func(s *v1alpha1.ForecastSpec) {
			s.LeadTime.Max, s.Demand.Resolution, s.Demand.History, s.Horizon = "10060s", "1s", "1d", "1h"
		}, []string{"spec.leadTime", "10080"}},
		"EndsBeforeItIsServed": {"the series ends a settle before now, and the plan begins there", func(s *v1alpha1.ForecastSpec) {
			s.Horizon, s.Demand.Settle = "2m", "90s"
		}, []string{"spec.horizon", "spec.demand.settle"}},
		"BoundsCrossed": {"min above max", func(s *v1alpha1.ForecastSpec) {
			s.Bounds = v1alpha1.Bounds{Min: new(resource.MustParse("5")), Max: new(resource.MustParse("4"))}
		}, []string{"spec.bounds"}},
		"PeriodTooShort": {"a period of one step is no period", func(s *v1alpha1.ForecastSpec) { s.Seasonality.Periods = []v1alpha1.Duration{"1m"} }, []string{"spec.seasonality.periods"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := goodSpec()
			c.change(&spec)
			_, err := ParseSpec(&spec)
			if err == nil {
				t.Fatalf("accepted; reason for refusing: %s", c.reason)
			}
			for _, part := range c.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("message %q does not say %q", err, part)
				}
			}
		})
	}
}

func TestParseSpecTellsEverythingAtOnce(t *testing.T) {
	spec := goodSpec()
	spec.Seasonality.TimeZone, spec.Horizon, spec.ProvisionFor = "Nowhere", "soon", v1alpha1.ProvisionFor{}
	_, err := ParseSpec(&spec)
	for _, field := range []string{"timeZone", "horizon", "provisionFor"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

// Every lead that the settings admit, the forecaster covers.
func TestEveryAdmittedLeadIsForecast(t *testing.T) {
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
		if _, err := forecaster.New(forecaster.Options{Step: set.Step, Lead: LeadSteps(longest, set.Step), Contract: set.Contract}); err != nil {
			t.Fatal(err)
		}
	})
}

func seconds(n int) v1alpha1.Duration { return v1alpha1.FormatDuration(time.Duration(n) * time.Second) }
