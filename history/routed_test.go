package history

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaceLabels(t *testing.T) {
	cases := map[string]struct {
		reason, query string
		want          []string
	}{
		"Global":  {"demand at the gateway, of all clusters", `sum(rate(gateway_requests_total{service="web"}[1m]))`, nil},
		"Cluster": {"one cluster of several", `sum(rate(requests_total{cluster="a"}[1m]))`, []string{"cluster"}},
		"Pods": {
			"the pods of this cluster", `sum(rate(requests_total{pod=~"web-.*",region="eu"}[1m]))`, []string{"pod", "region"},
		},
		"Excluded": {"leaving one out is no selection of a place", `sum(rate(requests_total{cluster!="test"}[1m]))`, nil},
		"By":       {"grouping selects nothing", `sum(max by (pod) (queue_length))`, nil},
		"Both":     {"each label once", `sum(a{pod="x"}) + sum(b{pod="y"})`, []string{"pod"}},
		"Invalid":  {"what cannot be parsed has an error of its own", `sum(`, nil},
	}
	for name, tc := range cases {
		if diff := cmp.Diff(tc.want, PlaceLabels(tc.query)); diff != "" {
			t.Errorf("%s: %s: -want, +got\n%s", name, tc.reason, diff)
		}
	}
}
