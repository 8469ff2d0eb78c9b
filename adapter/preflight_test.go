package adapter

import (
	"context"
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

func apiService(name, group, namespace, service string) *unstructured.Unstructured {
	spec := map[string]any{"group": group, "version": strings.SplitN(name, ".", 2)[0]}
	if service != "" {
		spec["service"] = map[string]any{"namespace": namespace, "name": service}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1",
		"kind":       "APIService",
		"metadata":   map[string]any{"name": name},
		"spec":       spec,
	}}
}

func TestPreflight(t *testing.T) {
	const external, custom = "external.metrics.k8s.io", "custom.metrics.k8s.io"
	ours := types.NamespacedName{Namespace: "headstart-system", Name: "headstart"}
	cases := map[string]struct {
		reason   string
		existing []client.Object
		group    string
		says     []string
	}{
		"free": {"the group has no owner", nil, external, nil},
		"ours": {
			"installed again",
			[]client.Object{apiService("v1beta1."+external, external, ours.Namespace, ours.Name)},
			external, nil,
		},
		"other group": {
			"beside another group's owner",
			[]client.Object{apiService("v1beta1."+custom, custom, "monitoring", "prometheus-adapter")},
			external, nil,
		},
		"KEDA": {
			"never hijack",
			[]client.Object{apiService("v1beta1."+external, external, "keda", "keda-operator-metrics-apiserver")},
			external,
			[]string{
				"Service keda/keda-operator-metrics-apiserver", "v1beta1." + external, "Object metric", `"demand"`,
			},
		},
		"other version": {
			"the autoscaler follows the preferred version",
			[]client.Object{
				apiService("v1beta1."+custom, custom, ours.Namespace, ours.Name),
				apiService("v1beta2."+custom, custom, "monitoring", "prometheus-adapter"),
			},
			custom,
			[]string{"Service monitoring/prometheus-adapter", "v1beta2.custom.metrics.k8s.io", "External metric"},
		},
		"same name": {
			"a Service of the same name elsewhere is another",
			[]client.Object{apiService("v1beta1."+external, external, "elsewhere", ours.Name)},
			external,
			[]string{"Service elsewhere/headstart"},
		},
		"API server": {
			"served by the API server itself",
			[]client.Object{apiService("v1beta1."+custom, custom, "", "")},
			custom,
			[]string{"the API server itself"},
		},
		"any other group": {
			"there is no other way to name",
			[]client.Object{apiService("v1.example.com", "example.com", "a", "b")},
			"example.com",
			[]string{"Leave it to its owner"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := clientfake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithObjects(tc.existing...).Build()
			err := Preflight(t.Context(), c, tc.group, ours)
			if tc.says == nil {
				if err != nil {
					t.Errorf("%s: %v", tc.reason, err)
				}
				return
			}
			var owned *OwnedError
			if !errors.As(err, &owned) || owned.Group != tc.group {
				t.Fatalf("%s: got %v, want an OwnedError", tc.reason, err)
			}
			for _, says := range tc.says {
				if !strings.Contains(err.Error(), says) {
					t.Errorf("%s: %q does not say %q", tc.reason, err, says)
				}
			}
		})
	}
}

func TestPreflightForbidden(t *testing.T) {
	c := clientfake.NewClientBuilder().WithScheme(runtime.NewScheme()).WithInterceptorFuncs(interceptor.Funcs{
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return errors.New("forbidden")
		},
	}).Build()
	err := Preflight(t.Context(), c, "external.metrics.k8s.io", types.NamespacedName{})
	if err == nil || !strings.Contains(err.Error(), "permission to list apiservices") {
		t.Errorf("an unknown owner must be an error: %v", err)
	}
}
