package preflight

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	clientfake "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"headstart.dev/headstart/controller"
	"headstart.dev/headstart/planner"
)

func ownedBy(group, namespace, name string) client.Object {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
		"metadata": map[string]any{"name": "v1beta1." + group},
		"spec": map[string]any{
			"group": group, "version": "v1beta1", "service": map[string]any{"namespace": namespace, "name": name},
		},
	}}
}

// cluster returns a client of a cluster that has these APIServices, and perhaps KEDA.
func cluster(keda bool, owners ...client.Object) client.Client {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIService"},
		meta.RESTScopeRoot)
	base := clientfake.NewClientBuilder().WithScheme(controller.NewScheme()).WithRESTMapper(mapper).
		WithObjects(owners...).Build()
	return interceptor.NewClient(base, interceptor.Funcs{List: func(
		ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption,
	) error {
		if gvk := list.GetObjectKind().GroupVersionKind(); gvk.Group == planner.ScaledObjectKind.Group {
			if !keda {
				return &meta.NoKindMatchError{GroupKind: gvk.GroupKind()}
			}
			return nil
		}
		return c.List(ctx, list, opts...)
	}})
}

// The advice is a door that is free, whatever groups were asked about.
func TestPreflightAdvice(t *testing.T) {
	const external, custom = "external.metrics.k8s.io", "custom.metrics.k8s.io"
	kedas := ownedBy(external, "keda", "keda-operator-metrics-apiserver")
	prometheus := ownedBy(custom, "monitoring", "prometheus-adapter")
	cases := map[string]struct {
		reason      string
		owners      []client.Object
		keda        bool
		groups      []string
		fails       bool
		says, lacks []string
	}{
		"free": {reason: "nobody owns them", groups: []string{external, custom}, says: []string{"available"}},
		"KEDA": {
			reason: "the trigger is KEDA's own way, and the Object metric is free", owners: []client.Object{kedas}, keda: true,
			groups: []string{external}, fails: true, says: []string{"overlay keda", "custom-metrics"},
		},
		"KEDA and prometheus-adapter": {
			reason: "the Object metric is taken too", owners: []client.Object{kedas, prometheus}, keda: true,
			groups: []string{external}, fails: true, says: []string{"overlay keda"}, lacks: []string{"custom-metrics"},
		},
		"both ways round": {
			reason: "neither may name the other", owners: []client.Object{kedas, prometheus}, keda: true,
			groups: []string{external, custom}, fails: true, says: []string{"overlay keda"},
			lacks: []string{"Install the overlay for"},
		},
		"both taken without KEDA": {
			reason: "there is still a way", owners: []client.Object{ownedBy(external, "datadog", "agent"), prometheus},
			groups: []string{external, custom}, fails: true, says: []string{"Install KEDA"},
			lacks: []string{"Install the overlay for"},
		},
		"for the overlay keda": {
			reason: "it claims no group, so an owner is no fault", owners: []client.Object{kedas}, keda: true,
			groups: []string{planner.ScaledObjectKind.Group}, says: []string{"KEDA is installed"},
		},
		"for the overlay keda without KEDA": {
			reason: "nothing would read a Forecast", groups: []string{planner.ScaledObjectKind.Group}, fails: true,
			says: []string{"install KEDA first"},
		},
		"prometheus-adapter": {
			reason: "the other group is free", owners: []client.Object{prometheus}, groups: []string{custom}, fails: true,
			says: []string{"Install the overlay for external.metrics.k8s.io"},
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			c := cluster(tc.keda, tc.owners...)
			var out bytes.Buffer
			err := Check(t.Context(), &out, c, tc.groups,
				types.NamespacedName{Namespace: "headstart-system", Name: "headstart"})
			text := out.String()
			if err != nil {
				text += err.Error()
			}
			if (err != nil) != tc.fails {
				t.Errorf("%s: error %v", tc.reason, err)
			}
			for _, part := range tc.says {
				if !strings.Contains(text, part) {
					t.Errorf("%s: %q is missing in\n%s", tc.reason, part, text)
				}
			}
			for _, part := range tc.lacks {
				if strings.Contains(text, part) {
					t.Errorf("%s: %q is in\n%s", tc.reason, part, text)
				}
			}
		})
	}
}
