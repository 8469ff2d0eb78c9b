package cli

import (
	"strings"
	"testing"

	"headstart.dev/headstart/api/v1alpha1"
)

// Every condition of the API is explained, and so are reasons from each of the pages.
func TestExplain(t *testing.T) {
	for _, name := range []string{
		v1alpha1.ConditionReady, v1alpha1.ConditionHistoryReady, v1alpha1.ConditionSkilled,
		v1alpha1.ConditionLeadTimeLearned, v1alpha1.ConditionStartsFailing, v1alpha1.ConditionServing,
		v1alpha1.ConditionHPALinted, v1alpha1.ConditionWithinMaxReplicas, v1alpha1.ConditionPeaksValid,
		v1alpha1.ConditionDrifting, v1alpha1.ConditionObserved, v1alpha1.ConditionOverloaded,
		v1alpha1.ConditionNodesWarm, v1alpha1.ConditionImagesWarm, v1alpha1.ConditionWeightsWarm,
		v1alpha1.ConditionCapacityShort,
	} {
		out, stderr, code := headstart(t, "explain "+name)
		if code != 0 || !strings.HasPrefix(out, name+" is a condition of a ") {
			t.Errorf("%s: exit code %d, %s%s", name, code, out, stderr)
		}
		if out, _, _ := headstart(t, "explain"); !strings.Contains(out, " "+name+" ") {
			t.Errorf("the list lacks %s:\n%s", name, out)
		}
	}
	for name, want := range map[string]string{
		"noskill":     "To do: check what the query measures",
		"BadQuery":    "BadQuery is a reason of HistoryReady",
		"QuotaDenied": "conditions of a WarmPool",

		"HeadstartSourceFails": "HeadstartSourceFails is an alert.\n\nA Prometheus does not answer.",
	} {
		if out, stderr, _ := headstart(t, "explain "+name); !strings.Contains(out, want) {
			t.Errorf("%s: %q is missing in\n%s%s", name, want, out, stderr)
		}
	}
	if _, stderr, code := headstart(t, "explain Skill"); code != 1 || !strings.Contains(stderr, "headstart explain") {
		t.Errorf("an unknown name: exit code %d, %s", code, stderr)
	}
	if out, _, _ := headstart(t, "__complete explain", ""); !strings.Contains(out, "NoSkill\n") {
		t.Errorf("a reason is not completed:\n%s", out)
	}
}
