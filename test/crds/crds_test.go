// Package crds_test checks the validation rules of the CRDs with the API server's own libraries,
// without an API server. It needs no control plane.
package crds_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	kubejson "k8s.io/apimachinery/pkg/util/json" // whole numbers stay whole
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"sigs.k8s.io/yaml"
)

// invalidObject is an entry of scheduler/testdata/refused.yaml: an object with one bad field, who
// refuses it, and words that the message must contain.
type invalidObject struct {
	Name      string         `json:"name"`
	RefusedBy string         `json:"refusedBy"`
	Message   string         `json:"message"`
	Object    map[string]any `json:"object"`
}

// invalidObjects reads the golden file of the scheduler's tests.
func invalidObjects(t *testing.T) []invalidObject {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "scheduler", "testdata", "refused.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	text, err = yaml.YAMLToJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	var all []invalidObject
	if err := kubejson.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// crdValidator validates custom resources as the API server does: by the schema and the rules of a
// CRD.
type crdValidator struct {
	structural *schema.Structural
	schema     validation.SchemaValidator
	rules      *cel.Validator
}

func newCRDValidator(t *testing.T, file string) crdValidator {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "manifests", "base", "crds", file))
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(text, &crd); err != nil {
		t.Fatal(err)
	}
	var internal apiextensions.CustomResourceValidation
	err = apiextensionsv1.Convert_v1_CustomResourceValidation_To_apiextensions_CustomResourceValidation(
		crd.Spec.Versions[0].Schema, &internal, nil)
	if err != nil {
		t.Fatal(err)
	}
	structural, err := schema.NewStructural(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	validator, _, err := validation.NewSchemaValidator(internal.OpenAPIV3Schema)
	if err != nil {
		t.Fatal(err)
	}
	return crdValidator{structural, validator, cel.NewValidator(structural, true, celconfig.PerCallLimit)}
}

// validate sets the defaults of object and returns the error of the API server; nil when it accepts
// object.
func (v crdValidator) validate(t *testing.T, object map[string]any) error {
	t.Helper()
	defaulting.Default(object, v.structural)
	errs := validation.ValidateCustomResource(nil, object, v.schema)
	errs = append(errs, listtype.ValidateListSetsAndMaps(nil, v.structural, object)...)
	if len(errs) == 0 {
		errs, _ = v.rules.Validate(t.Context(), nil, v.structural, object, nil, celconfig.RuntimeCELCostBudget)
	}
	return errs.ToAggregate()
}

// TestInvalidFieldsAreRefused checks that the CRDs refuse every field that they can check, with a
// message that helps, and that they accept what only a condition can refuse.
func TestInvalidFieldsAreRefused(t *testing.T) {
	validators := map[string]crdValidator{
		"PeakSchedule": newCRDValidator(t, "headstart.dev_peakschedules.yaml"),
		"Calendar":     newCRDValidator(t, "headstart.dev_calendars.yaml"),
	}
	count := map[string]int{}
	for _, tc := range invalidObjects(t) {
		kind, _ := tc.Object["kind"].(string)
		count[kind+" refused by "+tc.RefusedBy]++
		t.Run(tc.Name, func(t *testing.T) {
			err := validators[kind].validate(t, tc.Object)
			switch tc.RefusedBy {
			case "Condition":
				if err != nil {
					t.Errorf("the API server refuses it already: %v", err)
				}
			case "APIServer":
				if err == nil || !strings.Contains(err.Error(), tc.Message) {
					t.Errorf("the API server says %v, want something with %q", err, tc.Message)
				}
			default:
				t.Errorf("unknown refusedBy %q", tc.RefusedBy)
			}
		})
	}
	for _, group := range []string{
		"PeakSchedule refused by APIServer", "PeakSchedule refused by Condition",
		"Calendar refused by APIServer", "Calendar refused by Condition",
	} {
		if count[group] < 3 {
			t.Errorf("%d objects: %s, want at least 3", count[group], group)
		}
	}
}

// The schemas that Kubernetes generates for quantities take any exponent, and one such as
// 1e-2000000000 takes gigabytes to read.
func TestQuantitiesAreBounded(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "manifests", "base", "crds", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	patterns := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			pattern, ok := strings.CutPrefix(strings.TrimSpace(line), "pattern: ")
			if ok && strings.Contains(pattern, "KMGTPE") {
				patterns[pattern]++
			}
		}
	}
	if len(patterns) != 1 {
		t.Fatalf("the CRDs have %d patterns of quantities, want one: %v", len(patterns), patterns)
	}
	for pattern, n := range patterns {
		if n < 15 {
			t.Errorf("only %d quantities", n)
		}
		re := regexp.MustCompile(pattern)
		for _, good := range []string{"0", "0.5", ".5", "1200", "2k", "1.5Gi", "1e3", "-1E-3", "+7.25e+2", "900m", "1n"} {
			if !re.MatchString(good) {
				t.Errorf("%q is refused", good)
			}
		}
		for _, bad := range []string{"1e-2000000000", "1e999", "1e1.5", strings.Repeat("9", 31), "much", ""} {
			if re.MatchString(bad) {
				t.Errorf("%q is taken", bad)
			}
		}
	}
}

// forecastWith returns a Forecast with these fields of its spec in YAML, beside those that it needs.
func forecastWith(t *testing.T, fields string) map[string]any {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(`
apiVersion: headstart.dev/v1alpha1
kind: Forecast
metadata: {name: chat, namespace: shop}
spec:
  targetRef: {apiVersion: apps/v1, kind: Deployment, name: chat}
` + fields))
	if err != nil {
		t.Fatal(err)
	}
	var object map[string]any
	if err := kubejson.Unmarshal(text, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

// TestCapacityAndDemand checks the rules about capacity and demand. What was stored before there was
// spec.capacity stays valid.
func TestCapacityAndDemand(t *testing.T) {
	const (
		demand  = "  demand: {prometheus: {query: up}}\n"
		learned = "  capacity: {objective: {query: latency, atMost: \"0.5\"}, %}\n"
	)
	learn := func(more string) string { return strings.Replace(learned, "%", more, 1) }
	v := newCRDValidator(t, "headstart.dev_forecasts.yaml")
	for name, tc := range map[string]struct{ fields, message string }{
		"without both":         {"", ""},
		"stored before":        {demand + "  capacityPerReplica: \"5\"\n  serve: {unit: Replicas}\n", ""},
		"learned":              {demand + learn(`default: "5"`), ""},
		"learned, by the HPA":  {demand + learn(`attain: "0.9"`), ""},
		"learned, in replicas": {demand + learn(`default: "5"`) + "  serve: {unit: Replicas}\n", ""},
		"learned, with the old field": {
			demand + learn(`min: "2", max: 20, mode: Learned`) + "  capacityPerReplica: 5\n  serve: {unit: Replicas}\n", "",
		},
		"all fields": {
			demand + learn(`default: 500m, replicas: {query: ready, source: second}`), "",
		},
		"fixed":        {demand + "  capacity: {mode: Fixed, default: \"5\"}\n", ""},
		"terms":        {"  demand: {terms: [{query: a, weight: \"0.25\"}, {query: b, weight: \"1\"}], source: llm}\n", ""},
		"no objective": {demand + "  capacity: {default: \"5\"}\n", "mode Learned needs objective"},
		"no demand":    {learn(`default: "5"`), "capacity.mode Learned needs demand"},
		"two defaults": {demand + learn(`default: "5"`) + "  capacityPerReplica: 5\n", "give one of capacityPerReplica"},
		"in replicas without a default": {
			demand + learn(`min: "1"`) + "  serve: {unit: Replicas}\n", "serve.unit Replicas needs capacityPerReplica, or",
		},
		"bounds":         {demand + learn(`min: "3", max: "2"`), "capacity.min must not be above capacity.max"},
		"default of 0":   {demand + learn(`default: "0"`), "capacity.default must be above 0"},
		"attain":         {demand + learn(`attain: "1"`), "attain must be from 0.5 to 0.9999"},
		"atMost":         {demand + strings.Replace(learn(`default: "5"`), `"0.5"`, `"0.0"`, 1), "atMost must be above 0"},
		"a huge default": {demand + learn(`default: "1e999"`), "default"},
		"no query":       {"  demand: {resolution: 1m}\n", "give exactly one of prometheus"},
		"query and terms": {
			"  demand: {prometheus: {query: up}, terms: [{query: a, weight: \"1\"}]}\n", "give exactly one of prometheus",
		},
		"no terms":          {"  demand: {terms: []}\n", "terms"},
		"a weight of 0":     {"  demand: {terms: [{query: a, weight: \"0.0\"}]}\n", "weight must be above 0"},
		"source of a query": {"  demand: {prometheus: {query: up}, source: llm}\n", "source is that of terms"},
	} {
		t.Run(name, func(t *testing.T) { v.check(t, tc.fields, tc.message) })
	}
}

// TestWeights checks the rules about learned weights.
func TestWeights(t *testing.T) {
	demand := func(weights, terms string) string {
		return "  demand: {terms: [" + terms + "], weights: " + weights + "}\n"
	}
	const (
		one      = `{query: a, weight: "0.25"}`
		two      = one + `, {query: b, weight: "1"}`
		capacity = "  capacity: {objective: {query: latency, atMost: \"0.5\"}, default: \"5\"}\n"
		replicas = "  serve: {unit: Replicas}\n"
		needs    = "demand.weights Learned needs capacity.mode Learned"
	)
	v := newCRDValidator(t, "headstart.dev_forecasts.yaml")
	for name, tc := range map[string]struct{ fields, message string }{
		"learned":          {demand("Learned", two) + capacity + replicas, ""},
		"fixed":            {demand("Fixed", two), ""},
		"fixed, one query": {"  demand: {prometheus: {query: up}, weights: Fixed}\n", ""},
		"another mode":     {demand("Guessed", two) + capacity + replicas, "weights"},
		"one term":         {demand("Learned", one) + capacity + replicas, "weights Learned needs two terms"},
		"one query": {
			"  demand: {prometheus: {query: up}, weights: Learned}\n" + capacity + replicas, "weights Learned needs two terms",
		},
		"no capacity": {demand("Learned", two) + "  capacityPerReplica: \"5\"\n" + replicas, needs},
		"fixed capacity": {
			demand("Learned", two) + "  capacity: {mode: Fixed, default: \"5\"}\n" + replicas, needs,
		},
		"a target in demand": {demand("Learned", two) + capacity + "  serve: {unit: Demand}\n", needs},
		"no unit":            {demand("Learned", two) + capacity, needs},
	} {
		t.Run(name, func(t *testing.T) { v.check(t, tc.fields, tc.message) })
	}
}

// check validates a Forecast with these fields. It must be valid when message is empty, and otherwise
// the error must contain message.
func (v crdValidator) check(t *testing.T, fields, message string) {
	t.Helper()
	err := v.validate(t, forecastWith(t, fields))
	switch {
	case message == "" && err != nil:
		t.Errorf("refused: %v", err)
	case message != "" && (err == nil || !strings.Contains(err.Error(), message)):
		t.Errorf("the API server says %v, want something with %q", err, message)
	}
}

// TestSpend checks the rules about what a service level may cost.
func TestSpend(t *testing.T) {
	const demand = "  demand: {prometheus: {query: up}}\n"
	v := newCRDValidator(t, "headstart.dev_forecasts.yaml")
	for name, tc := range map[string]struct{ fields, message string }{
		"bounded":   {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: \"2\"}\n", ""},
		"the least": {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: \"1\"}\n", ""},
		"the most":  {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: \"1000\"}\n", ""},
		"below 1":   {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: \"0.99\"}\n", "must be from 1 to 1000"},
		"too much":  {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: \"1001\"}\n", "must be from 1 to 1000"},
		"no number": {demand + "  provisionFor: {serviceLevel: \"0.99\", atMost: twice}\n", "atMost"},
		"a shortage cost": {
			demand + "  provisionFor: {shortageCost: \"20\", atMost: \"2\"}\n", "atMost needs serviceLevel",
		},
		"no demand": {"  provisionFor: {serviceLevel: \"0.99\", atMost: \"2\"}\n", "provisionFor.atMost needs demand"},
		"an overflow": {
			demand + "  overflowOf: {cluster: a, forecast: shop/web}\n" +
				"  provisionFor: {serviceLevel: \"0.99\", atMost: \"2\"}\n", "cannot be together with overflowOf",
		},
	} {
		t.Run(name, func(t *testing.T) { v.check(t, tc.fields, tc.message) })
	}
}
