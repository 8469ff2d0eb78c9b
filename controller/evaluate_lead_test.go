package controller

import (
	"testing"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// StartsFailing is a warning when it is True.
func TestStartsFailingCondition(t *testing.T) {
	cases := map[string]struct {
		lead    gpuwarm.Lead
		want    string
		warning bool
	}{
		"NoStarts": {gpuwarm.Lead{}, "Unknown NoStarts", false},
		"Finish":   {gpuwarm.Lead{Decided: 5}, "False StartsFinish", false},
		"OneFails": {gpuwarm.Lead{Decided: 5, Failed: 1}, "False StartsFinish", false},
		"Fail": {
			gpuwarm.Lead{Decided: 5, Failed: 2, Failing: true, Reason: "CrashLoopBackOff"},
			"True StartsFail", true,
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := &evaluation{lead: tc.lead, fc: &v1alpha1.Forecast{}}
			e.setLeadConditions(nil)
			c := e.conditions.Get(v1alpha1.ConditionStartsFailing)
			if got := string(c.Status) + " " + c.Reason; got != tc.want || isWarning(*c) != tc.warning {
				t.Errorf("%s, warning %v; want %s, %v: %s", got, isWarning(*c), tc.want, tc.warning, c.Message)
			}
		})
	}
}
