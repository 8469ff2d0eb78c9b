package planner

import (
	"math"
	"reflect"
	"strings"
	"testing"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history/promql"
	"headstart.dev/headstart/planner/plan"
)

// learning is a Forecast whose capacity is learned.
func learningForecast(change func(*v1alpha1.ForecastSpec)) *v1alpha1.Forecast {
	fc := &v1alpha1.Forecast{}
	fc.Namespace, fc.Name = "shop", "chat"
	level := v1alpha1.Decimal("0.99")
	fc.Spec = v1alpha1.ForecastSpec{
		Demand:       &v1alpha1.DemandSource{Prometheus: v1alpha1.PrometheusQuery{Query: "q", Source: "second"}},
		TargetRef:    v1alpha1.TargetReference{APIVersion: "apps/v1", Kind: "Deployment", Name: "model"},
		ProvisionFor: v1alpha1.ProvisionFor{ServiceLevel: &level},
		Capacity: &v1alpha1.Capacity{
			Objective: &v1alpha1.Objective{Query: "latency", AtMost: "0.5"}, Default: new(resource.MustParse("5")),
		},
	}
	if change != nil {
		change(&fc.Spec)
	}
	return fc
}

func TestLearnSettings(t *testing.T) {
	fc := learningForecast(nil)
	s, err := Parse(fc)
	if err != nil {
		t.Fatal(err)
	}
	want := LearnSettings{
		Query: "latency", Source: "second", AtMost: 0.5, Attain: 0.99, Max: math.Inf(1), ReplicasSource: "second",
		ReplicasQuery: `max(kube_deployment_status_replicas_ready{namespace="shop",deployment="model"})`,
	}
	if l := s.Learn; l != nil {
		want.DemandHash, want.ObjectiveHash = l.DemandHash, l.ObjectiveHash
	}
	hashed := want.DemandHash != "" && want.ObjectiveHash != ""
	if s.Learn == nil || !hashed || !reflect.DeepEqual(*s.Learn, want) || s.SpecCapacity != 5 {
		t.Errorf("%+v and a default of %v, want %+v and 5", s.Learn, s.SpecCapacity, want)
	}
	for name, change := range map[string]func(*v1alpha1.ForecastSpec){
		"no capacity": func(spec *v1alpha1.ForecastSpec) { spec.Capacity = nil },
		"Fixed":       func(spec *v1alpha1.ForecastSpec) { spec.Capacity.Mode = v1alpha1.CapacityFixed },
	} {
		if s, err := Parse(learningForecast(change)); err != nil || s.Learn != nil {
			t.Errorf("%s: %+v, %v: nothing is to be learned", name, s.Learn, err)
		}
	}
	own := learningForecast(func(spec *v1alpha1.ForecastSpec) {
		spec.Capacity.Replicas = &v1alpha1.SeriesQuery{Query: "ready", Source: "third"}
		spec.Capacity.Objective.Source = "fourth"
		spec.TargetRef.Kind = "RolloutOfSomebody"
	})
	s, _ = Parse(own)
	if l := s.Learn; l.ReplicasQuery != "ready" || l.ReplicasSource != "third" || l.Source != "fourth" {
		t.Errorf("%+v", l)
	}
	own.Spec.Capacity.Replicas = nil
	if s, _ := Parse(own); s.Learn.ReplicasQuery != "" {
		t.Errorf("the query %q for a kind that kube-state-metrics does not know", s.Learn.ReplicasQuery)
	}
}

func TestCapacityRefused(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ForecastSpec)
		want   string
	}{
		"no objective": {func(s *v1alpha1.ForecastSpec) { s.Capacity.Objective = nil }, "spec.capacity.objective"},
		"no demand":    {func(s *v1alpha1.ForecastSpec) { s.Demand = nil }, "needs spec.demand"},
		"attain":       {func(s *v1alpha1.ForecastSpec) { s.Capacity.Attain = "1" }, "spec.capacity.attain"},
		"atMost 0":     {func(s *v1alpha1.ForecastSpec) { s.Capacity.Objective.AtMost = "0" }, "objective.atMost"},
		"atMost huge": {
			func(s *v1alpha1.ForecastSpec) {
				s.Capacity.Objective.AtMost = v1alpha1.Decimal(strings.Repeat("9", 400))
			},
			"objective.atMost",
		},
		"min above max": {
			func(s *v1alpha1.ForecastSpec) {
				s.Capacity.Min, s.Capacity.Max = new(resource.MustParse("3")), new(resource.MustParse("2"))
			}, "min 3 is above max 2",
		},
		"two defaults": {
			func(s *v1alpha1.ForecastSpec) { s.CapacityPerReplica = new(resource.MustParse("4")) }, "not both",
		},
		"in replicas without a default": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Default, s.Serve.Unit = nil, v1alpha1.ServeReplicas },
			"spec.serve.unit",
		},
		"no query": {func(s *v1alpha1.ForecastSpec) { s.Demand.Prometheus.Query = "" }, "exactly one of"},
		"query and terms": {
			func(s *v1alpha1.ForecastSpec) { s.Demand.Terms = []v1alpha1.DemandTerm{{Query: "x", Weight: "1"}} },
			"exactly one of",
		},
		"weight 0": {
			func(s *v1alpha1.ForecastSpec) {
				s.Demand = &v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: "x", Weight: "0.0"}}}
			}, "terms[0].weight",
		},
		"a term without a query": {
			func(s *v1alpha1.ForecastSpec) {
				s.Demand = &v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: "x", Weight: "1"}, {Weight: "1"}}}
			}, "terms[1].query: there is no expression",
		},
		"a term that leaves its parentheses": {
			func(s *v1alpha1.ForecastSpec) {
				s.Demand = &v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{
					{Query: "x", Weight: "1"}, {Query: "vector(1)) * 1000 + sum(vector(1)", Weight: "1"},
				}}
			}, "terms[1].query: the ) at byte 10",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(learningForecast(tc.change)); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want something with %q", err, tc.want)
			}
		})
	}
}

func TestDemandOfTerms(t *testing.T) {
	fc := learningForecast(func(s *v1alpha1.ForecastSpec) {
		s.Demand = &v1alpha1.DemandSource{Source: "llm", Terms: []v1alpha1.DemandTerm{
			{Query: "rate(prompt[2m]) # tokens", Weight: "010"}, {Query: "rate(generated[2m])", Weight: "0.25"},
		}}
	})
	s, err := Parse(fc)
	want := "10 * sum(\nrate(prompt[2m]) # tokens\n) + 0.25 * sum(\nrate(generated[2m])\n)"
	if err != nil || s.Query != want || s.Source != "llm" || s.Learn.Source != "llm" {
		t.Errorf("%q from %q, %v, want %q", s.Query, s.Source, err, want)
	}
}

func TestCapacityInStatus(t *testing.T) {
	before, err := Parse(learningForecast(nil))
	if err != nil {
		t.Fatal(err)
	}
	status := func(source, value string) *v1alpha1.CapacityStatus {
		return &v1alpha1.CapacityStatus{
			Value: resource.MustParse(value), Source: source,
			DemandHash: before.Learn.DemandHash, ObjectiveHash: before.Learn.ObjectiveHash,
		}
	}
	for name, tc := range map[string]struct {
		change func(*v1alpha1.ForecastSpec)
		status *v1alpha1.CapacityStatus
		want   float64
	}{
		"another query of demand": {
			func(s *v1alpha1.ForecastSpec) { s.Demand.Prometheus.Query = "tokens" },
			status(plan.CapacityFromLearning, "7"), 5,
		},
		"another source of demand": {
			func(s *v1alpha1.ForecastSpec) { s.Demand.Prometheus.Source = "third" },
			status(plan.CapacityFromLearning, "7"), 5,
		},
		"another objective raises nothing": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Objective.AtMost = "0.1" },
			status(plan.CapacityFromLearning, "7"), 5,
		},
		"another objective, a lower figure": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Attain = "0.9" },
			status(plan.CapacityFromLearning, "3"), 3,
		},
		"another default does not matter": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Default = new(resource.MustParse("4")) },
			status(plan.CapacityFromLearning, "7"), 7,
		},
		"nothing learned": {nil, nil, 5},
		"learned":         {nil, status(plan.CapacityFromLearning, "7.5"), 7.5},
		"of the spec":     {nil, status(CapacityFromSpec, "4"), 5},
		"bounded": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Max = new(resource.MustParse("6")) },
			status(plan.CapacityFromLearning, "7"), 6,
		},
		"bounded default": {func(s *v1alpha1.ForecastSpec) { s.Capacity.Min = new(resource.MustParse("6")) }, nil, 6},
		"no longer learns": {
			func(s *v1alpha1.ForecastSpec) { s.Capacity.Mode = v1alpha1.CapacityFixed },
			status(plan.CapacityFromLearning, "7"), 5,
		},
		"a bad value": {nil, status(plan.CapacityFromLearning, "0"), 5},
	} {
		s, err := Parse(learningForecast(tc.change))
		if got := s.CapacityIn(tc.status); err != nil || got != tc.want {
			t.Errorf("%s: %v, %v, want %v", name, got, err, tc.want)
		}
	}
}

// A capacity in use is never far from what is known, does not waver with it, and a second look at the
// same evidence changes nothing.
func TestSettleCapacity(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		inUse := rapid.Float64Range(0, 1e6).Draw(r, "in use")
		fresh := rapid.Float64Range(1e-6, 1e6).Draw(r, "fresh")
		got := SettleCapacity(inUse, fresh)
		if got > fresh*(1+lowerBy+0.001) || got < fresh*(1-raiseBy-0.001) {
			t.Fatalf("%v is used where %v is known", got, fresh)
		}
		if again := SettleCapacity(got, fresh); again != got {
			t.Fatalf("%v becomes %v without new evidence", got, again)
		}
		if near := SettleCapacity(got, got*1.02); near != got {
			t.Fatalf("%v becomes %v by a change of 2 %%", got, near)
		}
	})
}

// The target of an HPA in demand is compared with what was learned.
func TestLintOfALearnedCapacity(t *testing.T) {
	for name, tc := range map[string]struct {
		target, learned, source string
		unit                    v1alpha1.ServeUnit
		want                    string
	}{
		"near":             {"5", "5.4", plan.CapacityFromLearning, v1alpha1.ServeDemand, ""},
		"far":              {"5", "7", plan.CapacityFromLearning, v1alpha1.ServeDemand, "TargetNotLearned"},
		"too high":         {"8", "7", plan.CapacityFromLearning, v1alpha1.ServeDemand, "TargetNotLearned"},
		"nothing learned":  {"5", "7", CapacityFromSpec, v1alpha1.ServeDemand, ""},
		"in replicas":      {"1", "7", plan.CapacityFromLearning, v1alpha1.ServeReplicas, ""},
		"not one replica":  {"5", "7", plan.CapacityFromLearning, v1alpha1.ServeReplicas, "TargetNotOne"},
		"default and HPA ": {"4", "4", plan.CapacityFromLearning, v1alpha1.ServeDemand, ""},
	} {
		t.Run(name, func(t *testing.T) {
			fc := learningForecast(func(s *v1alpha1.ForecastSpec) { s.Serve.Unit = tc.unit })
			fc.Status.CapacityPerReplica = &v1alpha1.CapacityStatus{Value: resource.MustParse(tc.learned), Source: tc.source}
			zero := resource.MustParse("0")
			h := autoscalingv2.HorizontalPodAutoscaler{}
			h.Namespace, h.Name = "shop", "chat"
			h.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "model"}
			h.Spec.MaxReplicas = 10
			h.Spec.Behavior = &autoscalingv2.HorizontalPodAutoscalerBehavior{
				ScaleUp: &autoscalingv2.HPAScalingRules{Tolerance: &zero},
			}
			h.Spec.Metrics = []autoscalingv2.MetricSpec{{
				Type: autoscalingv2.ExternalMetricSourceType,
				External: &autoscalingv2.ExternalMetricSource{
					Metric: autoscalingv2.MetricIdentifier{Name: "chat"},
					Target: autoscalingv2.MetricTarget{
						Type: autoscalingv2.AverageValueMetricType, AverageValue: new(resource.MustParse(tc.target)),
					},
				},
			}}
			got := ""
			for _, f := range ReadHPAs([]autoscalingv2.HorizontalPodAutoscaler{h}, fc, 0).Findings {
				got += f.Reason
			}
			if got != tc.want {
				t.Errorf("findings %q, want %q", got, tc.want)
			}
		})
	}
}

// No spec makes the parser panic, and one without errors has settings that make sense.
func FuzzLearnSettings(f *testing.F) {
	f.Add("q", "0.5", "0.99", "5", "2", "20", "0.25", "Deployment", "model")
	f.Add("", "", "", "", "", "", "", "", "")
	f.Add("x) # ", "1e9", "1", "-1", "1e-30", "1e30", "NaN", "StatefulSet", `a"b`)
	f.Add("x", "1", "0.9", "1", "", "", "1", "StatefulSet", `a"}) + (`+"\xff\n")
	f.Fuzz(func(t *testing.T, query, atMost, attain, def, low, high, weight, kind, name string) {
		quantity := func(s string) *resource.Quantity {
			if len(s) > 20 || strings.ContainsAny(s, "eE") {
				return nil // The API server bounds exponents.
			}
			q, err := resource.ParseQuantity(s)
			if err != nil {
				return nil
			}
			return &q
		}
		fc := learningForecast(func(s *v1alpha1.ForecastSpec) {
			s.TargetRef.Kind, s.TargetRef.Name = kind, name
			s.Demand = &v1alpha1.DemandSource{Terms: []v1alpha1.DemandTerm{{Query: query, Weight: v1alpha1.Decimal(weight)}}}
			s.Capacity = &v1alpha1.Capacity{
				Objective: &v1alpha1.Objective{Query: query, AtMost: v1alpha1.Decimal(atMost)}, Attain: v1alpha1.Decimal(attain),
				Default: quantity(def), Min: quantity(low), Max: quantity(high),
			}
		})
		s, err := Parse(fc)
		if err != nil {
			return
		}
		l := s.Learn
		if !(l.AtMost > 0) || l.Attain < 0.5 || l.Attain > 0.9999 || !(l.Min <= l.Max) || l.Min < 0 || l.Query == "" {
			t.Errorf("%+v", l)
		}
		if c := s.CapacityIn(nil); c < 0 || math.IsNaN(c) {
			t.Errorf("a capacity of %v", c)
		}
		q, brackets := l.ReplicasQuery, 1+strings.Count(name, "(")
		if q != "" && (promql.Operand(q) != nil || strings.Count(q, "(") != brackets) {
			t.Errorf("the name %q makes the query %s", name, q)
		}
	})
}
