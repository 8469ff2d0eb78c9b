package v1alpha1

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func forecastOf(namespace, name string, labels map[string]string) *Forecast {
	return &Forecast{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels}}
}

var front = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "front"}}

var invalidSelector = &metav1.LabelSelector{
	MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "tier", Operator: "Near"}},
}

const invalidMessage = `spec.forecastSelector: "Near" is not a valid label selector operator: ` +
	"write matchLabels, or matchExpressions with In, NotIn, Exists or DoesNotExist"

var matchers = map[string]struct {
	reason   string
	refs     []ForecastReference
	selector *metav1.LabelSelector
	want     []string
	err      string
}{
	"Nothing": {reason: "neither names nor labels"},
	"Labels":  {reason: "labels count in the same namespace only", selector: front, want: []string{"web"}},
	"EmptySelector": {
		reason: "an empty selector selects everything", selector: &metav1.LabelSelector{},
		want: []string{"web", "db"},
	},
	"Name": {
		reason: "a name counts in the same namespace only", refs: []ForecastReference{{"db"}},
		want: []string{"db"},
	},
	"NameAndLabels": {
		reason: "either is enough", refs: []ForecastReference{{"db"}}, selector: front,
		want: []string{"web", "db"},
	},
	"Invalid": {reason: "an invalid selector selects nothing", selector: invalidSelector, err: invalidMessage},
	"InvalidAndNamed": {
		reason: "the name counts", refs: []ForecastReference{{"db"}}, selector: invalidSelector,
		want: []string{"db"}, err: invalidMessage,
	},
}

func TestForecastMatcher(t *testing.T) {
	forecasts := []*Forecast{
		forecastOf("shop", "web", map[string]string{"tier": "front"}),
		forecastOf("shop", "db", nil),
		forecastOf("other", "web", map[string]string{"tier": "front"}),
		forecastOf("other", "db", nil),
	}
	matched := func(m ForecastMatcher) []string {
		var names []string
		for _, fc := range forecasts {
			if m.Matches(fc) {
				names = append(names, fc.Name)
			}
		}
		return names
	}
	check := func(t *testing.T, reason string, m ForecastMatcher, err error, want []string, message string) {
		t.Helper()
		if diff := cmp.Diff(want, matched(m)); diff != "" {
			t.Errorf("\nReason: %s\n-want, +got\n%s", reason, diff)
		}
		var field *FieldError
		switch {
		case err == nil && message == "":
		case !errors.As(err, &field) || err.Error() != message:
			t.Errorf("\nReason: %s\nerror %v, want a FieldError that says %q", reason, err, message)
		}
	}
	for name, tc := range matchers {
		t.Run(name, func(t *testing.T) {
			meta := metav1.ObjectMeta{Namespace: "shop", Name: "p"}
			spec := PeakScheduleSpec{ForecastRefs: tc.refs, ForecastSelector: tc.selector}
			m, err := (&PeakSchedule{ObjectMeta: meta, Spec: spec}).ForecastMatcher()
			check(t, tc.reason, m, err, tc.want, tc.err)
			if tc.refs != nil || tc.selector == nil {
				return // a WarmPool has a selector and nothing else
			}
			pool := WarmPool{ObjectMeta: meta, Spec: WarmPoolSpec{ForecastSelector: *tc.selector}}
			m, err = pool.ForecastMatcher()
			check(t, tc.reason, m, err, tc.want, tc.err)
		})
	}
}
