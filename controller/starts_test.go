package controller

import (
	"testing"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm"
)

// Starts that fail are said by a condition of their own, which calls for somebody when it is True.
func TestStartsFailing(t *testing.T) {
	cases := map[string]struct {
		lead    gpuwarm.Lead
		want    string
		trouble bool
	}{
		"Nothing":  {gpuwarm.Lead{}, "Unknown NoStarts", false},
		"Finish":   {gpuwarm.Lead{Decided: 5}, "False StartsFinish", false},
		"OneFails": {gpuwarm.Lead{Decided: 5, Failed: 1}, "False StartsFinish", false},
		"Fail":     {gpuwarm.Lead{Decided: 5, Failed: 2, Failing: true, Reason: "CrashLoopBackOff"}, "True StartsFail", true},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			e := &evaluation{lead: tc.lead, fc: &v1alpha1.Forecast{}}
			e.judgeLead(nil)
			c := e.v.get(v1alpha1.ConditionStartsFailing)
			if got := string(c.Status) + " " + c.Reason; got != tc.want || isTrouble(*c) != tc.trouble {
				t.Errorf("%s, trouble %v; want %s, %v: %s", got, isTrouble(*c), tc.want, tc.trouble, c.Message)
			}
		})
	}
}
