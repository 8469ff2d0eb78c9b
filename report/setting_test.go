package report

import (
	"strings"
	"testing"
	"time"

	"headstart.dev/headstart/report/frontier"
)

// The saving that a report shows first is that at the service of today. Its manifests have the
// contract that was asked for, and say which setting the saving needs.
func TestProposalNamesTheSettingOfToday(t *testing.T) {
	r := fixed(t)
	setting := r.Setting(*r.Baseline.HeadstartHours)
	want := "{serviceLevel: \"0.99\"}\n  # This is as asked. The service of today takes\n  # " + setting + ".\n"
	if setting == contractName(r.options.Contract) || !strings.Contains(r.Proposal.Forecast, want) {
		t.Errorf("%q is missing in\n%s", want, r.Proposal.Forecast)
	}
	for i, p := range r.Policies {
		if p.Policy == PolicyHeadstart {
			r.Policies[i].Frontier = frontier.Line{{Knob: 0.99, Contract: contractName(r.options.Contract), ReplicaHours: 10}}
		}
	}
	hours := 10.0
	r.Baseline.HeadstartHours = &hours
	if got := r.settingOfToday(); got != "" {
		t.Errorf("what was asked for is named again: %q", got)
	}
}

// A report that gives no advice says why. With any policy of today there is one to compare with.
func TestNoAdviceHasAReason(t *testing.T) {
	cases := map[string]struct {
		reason   string
		policies []string
		days     int // of history
		want     string
	}{
		"Alone":  {"nothing to compare with", []string{PolicyHeadstart, PolicyOracle}, 3, "name one in --policies"},
		"NotRun": {"what was named could not be run", []string{PolicyHeadstart, PolicyTimed}, 3, "timed needs a week"},
		"Any":    {"any policy of today will do", []string{PolicyHeadstart, PolicyYesterday}, 3, "yesterday"},
		"Many":   {"the HPA is preferred", []string{PolicyHeadstart, PolicyYesterday, PolicyHPA}, 3, "an HPA"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			values := make([]float64, 24*(tc.days+2))
			for i := range values {
				values[i] = 50 + 40*float64(i%24)/24
			}
			o := optionsFor(values, 24*tc.days)
			o.Series.Step, o.Lead = time.Hour, time.Hour
			o.Policies, o.Headroom = tc.policies, false
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			said := r.Verdict
			if r.Baseline != nil {
				said = r.Baseline.Policy + ", " + r.policyLabel(r.Baseline.Policy)
			}
			if (r.Decision == nil) != (r.Baseline == nil) || !strings.Contains(said, tc.want) {
				t.Errorf("%s: %+v, %q, want %q", tc.reason, r.Decision, said, tc.want)
			}
		})
	}
}
