package clusters

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"headstart.dev/headstart/api/v1alpha1"
)

// What is read of a Forecast is what its server wrote, and the rest is not kept.
func TestRemoteForecast(t *testing.T) {
	fc := remote()
	fc.Namespace, fc.Name, fc.ResourceVersion, fc.Labels = "shop", "web", "7", map[string]string{"a": "b"}
	fc.Spec.Unit = "requests/s"
	s := &fc.Status
	s.Conditions = append(s.Conditions, metav1.Condition{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue})
	s.Overflow.Unit, s.Overflow.Reason, s.Overflow.From = "requests/s", "Nodes", metav1.NewTime(start)
	s.OverflowOf = &v1alpha1.OverflowSource{Cluster: "c", Chain: []string{"x", "y"}}
	s.RecentWrites = []metav1.Time{metav1.NewTime(start), metav1.NewTime(start.Add(1e9))}
	text, err := json.Marshal(fc)
	if err != nil {
		t.Fatal(err)
	}
	var got remoteForecast
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	fc.Labels, s.OverflowOf.Cluster = nil, ""
	s.Conditions, s.RecentWrites, s.Overflow.Peak = s.Conditions[:1], s.RecentWrites[1:], got.Status.Overflow.Peak
	if diff := cmp.Diff(*fc, got.Forecast); diff != "" {
		t.Errorf("want (-), got (+):\n%s", diff)
	}
}

// A few bytes must not take much time or memory. A quantity with such an exponent takes gigabytes.
func TestRemoteForecastBounds(t *testing.T) {
	const tooMany = "more than 256 elements"
	cases := map[string]struct{ reason, text, want string }{
		"Quantity": {
			reason: "quantities are not decoded",
			text:   `{"spec":{"bounds":{"max":"1e-2000000000"}},"status":{"overflow":{"peak":"1e-2000000000"}}}`,
		},
		"Conditions": {"", `{"status":{"conditions":[` + strings.Repeat("{},", maxElements) + `{}]}}`, tooMany},
		"Segments":   {"", `{"status":{"plan":{"segments":[` + strings.Repeat("{},", maxElements) + `{}]}}}`, tooMany},
		"Chain":      {"", `{"status":{"overflowOf":{"chain":[` + strings.Repeat(`"",`, maxElements) + `""]}}}`, tooMany},
		"Null":       {"what is left out may be null", `{"status":{"conditions":null,"overflow":null}}`, ""},
		"NoList":     {"", `{"status":{"conditions":{}}}`, "a list was expected"},
	}
	for name, tc := range cases {
		var got remoteForecast
		err := json.Unmarshal([]byte(tc.text), &got)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: the error is %v, want %q: %s", name, err, tc.want, tc.reason)
		}
	}
}
