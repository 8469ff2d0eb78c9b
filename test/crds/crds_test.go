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
