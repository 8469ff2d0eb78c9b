package controller

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/adapter/values"
	"headstart.dev/headstart/api/v1alpha1"
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
	got, err := parseSpec(&spec)
	if err != nil {
		t.Fatal(err)
	}
	if got.step != time.Minute || got.history != 28*24*time.Hour || got.settle != 30*time.Second || got.horizon != 24*time.Hour {
		t.Errorf("durations = %v %v %v %v, want the documented defaults", got.step, got.history, got.settle, got.horizon)
	}
	if got.source != "default" || got.mode != v1alpha1.ForecastActive || got.expiry != v1alpha1.ExpiryError || got.contract.ServiceLevel != 0.99 {
		t.Errorf("got %+v", got)
	}
	if got.lead.fallback != 5*time.Minute || got.lead.configured || got.lead.percentile != 90 || got.lead.max != 30*time.Minute {
		t.Errorf("lead = %+v", got.lead)
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
		"BoundsCrossed": {"min above max", func(s *v1alpha1.ForecastSpec) {
			s.Bounds = v1alpha1.Bounds{Min: new(resource.MustParse("5")), Max: new(resource.MustParse("4"))}
		}, []string{"spec.bounds"}},
		"PeriodTooShort": {"a period of one step is no period", func(s *v1alpha1.ForecastSpec) { s.Seasonality.Periods = []v1alpha1.Duration{"1m"} }, []string{"spec.seasonality.periods"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			spec := goodSpec()
			c.change(&spec)
			_, err := parseSpec(&spec)
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
	_, err := parseSpec(&spec)
	for _, field := range []string{"timeZone", "horizon", "provisionFor"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error %v does not name %s", err, field)
		}
	}
}

func TestServedSettings(t *testing.T) {
	spec := goodSpec()
	spec.Bounds.Min, spec.OnPlanExpiry = new(resource.MustParse("3")), v1alpha1.OnPlanExpiry{Policy: v1alpha1.ExpiryStatic, Value: new(resource.MustParse("7"))}
	want := values.Settings{
		Demand: &values.Query{Expr: "sum(rate(requests_total[1m]))", Source: "default", Settle: 30 * time.Second},
		Mode:   v1alpha1.ForecastActive, Expiry: v1alpha1.ExpiryStatic, Static: 7, Min: 3,
	}
	got, err := ServedSettings(&spec)
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v; settings (-want +got):\n%s", err, diff)
	}
	spec.Demand, spec.Horizon = nil, "soon"
	if got, err := ServedSettings(&spec); err == nil || got.Demand != nil {
		t.Errorf("got %+v, %v, want an error and nothing to poll", got, err)
	}
}
