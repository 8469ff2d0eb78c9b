package adapter

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apidiscoveryv2 "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const aggregated = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// An aggregator that gets an aggregated document without a group publishes no resources of that
// group, and then no autoscaler finds its metric. It must have each group once, with one resource,
// however many Forecasts there are.
func TestAggregatedDiscovery(t *testing.T) {
	both := []string{
		"custom.metrics.k8s.io/v1beta1 forecasts.headstart.dev/demand",
		"custom.metrics.k8s.io/v1beta2 forecasts.headstart.dev/demand",
		"external.metrics.k8s.io/v1beta1 forecasts",
	}
	cases := map[string]struct {
		external, custom bool
		want             []string
	}{
		"both":     {true, true, both},
		"external": {true, false, both[2:]},
		"custom":   {false, true, both[:2]},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			w := start(t, func(o *Options) { o.ExternalMetrics, o.CustomMetrics = tc.external, tc.custom })
			fill(w.metrics)
			resp, body := w.get("/apis", aggregated)
			var list apidiscoveryv2.APIGroupDiscoveryList
			if err := json.Unmarshal(body, &list); err != nil || resp.Header.Get("Content-Type") != aggregated {
				t.Fatalf("not an aggregated document (%v), %s: %s", err, resp.Header.Get("Content-Type"), body)
			}
			got := map[string]bool{}
			for _, group := range list.Items {
				for _, version := range group.Versions {
					for _, resource := range listed(version) {
						got[group.Name+"/"+version.Version+" "+resource] = true
					}
				}
			}
			want := map[string]bool{}
			for _, w := range tc.want {
				want[w] = true
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("resources (-want +got):\n%s", diff)
			}
			checkOlderDiscovery(t, w, tc.external, strings.TrimSuffix(externalRoot, "/namespaces/"), "forecasts")
			customPath := strings.TrimSuffix(customRoot, "/namespaces/")
			checkOlderDiscovery(t, w, tc.custom, customPath, "forecasts.headstart.dev/demand")
		})
	}
}

// listed names resources as clients do: a parent that only holds subresources has no kind and is
// not one itself.
func listed(version apidiscoveryv2.APIVersionDiscovery) []string {
	var names []string
	for _, r := range version.Resources {
		if r.Scope != apidiscoveryv2.ScopeNamespace {
			names = append(names, r.Resource+" is not namespaced")
		}
		if r.ResponseKind != nil && r.ResponseKind.Kind != "" {
			names = append(names, r.Resource)
		}
		for _, s := range r.Subresources {
			names = append(names, r.Resource+"/"+s.Subresource)
		}
	}
	return names
}

func checkOlderDiscovery(t *testing.T, w *fixture, served bool, path, resource string) {
	t.Helper()
	resp, body := w.get(path, jsonType)
	if !served {
		if resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s is served although its API is disabled: %d", path, resp.StatusCode)
		}
		return
	}
	var list metav1.APIResourceList
	if err := json.Unmarshal(body, &list); err != nil {
		t.Fatalf("%s: %v: %s", path, err, body)
	}
	if len(list.APIResources) != 1 || list.APIResources[0].Name != resource || !list.APIResources[0].Namespaced {
		t.Errorf("%s lists %v, want only %s", path, list.APIResources, resource)
	}
}
