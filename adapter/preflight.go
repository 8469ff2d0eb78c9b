package adapter

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// OwnedError is the error of an API group that another Service owns.
type OwnedError struct {
	// Group is the API group.
	Group string
	// APIService is the name of the APIService that registers the group.
	APIService string
	// Service is the one behind it; empty when the API server itself serves the group.
	Service types.NamespacedName
	// Alternative says what to do instead; empty names the other group.
	Alternative string
}

// Error implements error. The message names the owner, and what to do instead.
func (e *OwnedError) Error() string {
	owner := "the API server itself"
	if e.Service.Name != "" {
		owner = "Service " + e.Service.String()
	}
	return fmt.Sprintf("API group %s belongs to %s (APIService %s): a group has one owner in a cluster, "+
		"and taking it would cut off every HPA that reads metrics from it. %s",
		e.Group, owner, e.APIService, cmp.Or(e.Alternative, alternative(e.Group)))
}

// alternative says how to serve without the group.
func alternative(group string) string {
	switch group {
	case external_metrics.GroupName:
		return "Install the overlay for custom.metrics.k8s.io instead, and let the HPA read an Object metric: " +
			"describedObject {apiVersion: headstart.dev/v1alpha1, kind: Forecast, name: NAME}, " +
			"metric \"demand\", target AverageValue"
	case custom_metrics.GroupName:
		return "Install the overlay for external.metrics.k8s.io instead, and let the HPA read an External metric " +
			"with the Forecast's name, target AverageValue"
	default:
		return "Leave it to its owner"
	}
}

// Preflight checks that no Service but the given one owns an API group. The error is an
// [OwnedError] when another one does. Every version of the group counts: autoscalers follow the
// preferred version, so a new version beside an existing one could still take over its metrics.
// Preflight needs permission to list apiservices.
func Preflight(ctx context.Context, reader client.Reader, group string, service types.NamespacedName) error {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(schema.GroupVersionKind{
		Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIServiceList",
	})
	if err := reader.List(ctx, &list); err != nil {
		return fmt.Errorf("find the owner of API group %s (this needs permission to list "+
			"apiservices.apiregistration.k8s.io): %w", group, err)
	}
	for _, item := range list.Items {
		if g, _, _ := unstructured.NestedString(item.Object, "spec", "group"); g != group {
			continue
		}
		namespace, _, _ := unstructured.NestedString(item.Object, "spec", "service", "namespace")
		name, _, _ := unstructured.NestedString(item.Object, "spec", "service", "name")
		if name != "" && namespace == service.Namespace && name == service.Name {
			continue
		}
		return &OwnedError{
			Group: group, APIService: item.GetName(), Service: types.NamespacedName{Namespace: namespace, Name: name},
		}
	}
	return nil
}
