package main

import (
	"strings"
	"testing"
)

// Requests for the Forecasts of one namespace are those of the other cluster: the cluster's own are
// for all namespaces.
func TestOverflowRequests(t *testing.T) {
	s := overflowSample{api: parseMetrics(
		`apiserver_request_total{code="200",resource="forecasts",scope="namespace",verb="LIST"} 10
apiserver_request_total{code="200",resource="forecasts",scope="cluster",verb="LIST"} 3
apiserver_request_total{code="200",resource="forecasts",scope="resource",verb="GET"} 4
apiserver_request_total{code="200",resource="forecasts",scope="namespace",verb="WATCH"} 20
apiserver_request_total{code="200",resource="pods",scope="namespace",verb="LIST"} 7
`)}
	for verb, want := range map[string]float64{"LIST": 10, "GET": 4, "WATCH": 20} {
		if got := s.requests(verb); got != want {
			t.Errorf("%g requests to %s, want %g", got, verb, want)
		}
	}
	text := overflowCost{n: 1000, overflows: true, watches: 10, cpuB: 0.012}.String()
	for _, part := range []string{"1000 Forecasts with overflow", "10 watches", "0.0120 in b", "0 lists"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q has no %q", text, part)
		}
	}
}
