package adapter

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// OwnedError says that an API group belongs to somebody else.
type OwnedError struct {
	// Group that was to be claimed.
	Group string
	// APIService through which it is claimed.
	APIService string
	// Owner is the Service behind it, as namespace/name; empty where the API server itself serves the group.
	Owner string
}

// Error implements error: who owns the group, and what to do instead.
func (e *OwnedError) Error() string {
	owner := "the API server itself"
	if e.Owner != "" {
		owner = "Service " + e.Owner
	}
	return fmt.Sprintf("API group %s belongs to %s (APIService %s): a group has one owner in a cluster, and taking it would cut off "+
		"every HPA that reads metrics from it. %s", e.Group, owner, e.APIService, alternative(e.Group))
}

// alternative is the way that does not need the group.
func alternative(group string) string {
	switch group {
	case external_metrics.GroupName:
		return "Install the overlay for custom.metrics.k8s.io instead, and let the HPA read an Object metric: " +
			"describedObject {apiVersion: headstart.dev/v1alpha1, kind: Forecast, name: NAME}, metric \"demand\", target AverageValue"
	case custom_metrics.GroupName:
		return "Install the overlay for external.metrics.k8s.io instead, and let the HPA read an External metric that bears the " +
			"Forecast's name, target AverageValue"
	default:
		return "Leave it to its owner"
	}
}

// Preflight refuses to claim an API group that has another owner than service: *OwnedError. Every version of the group counts,
// since the autoscaler follows the preferred one, and a free version beside somebody else's would still take their metrics away.
// It needs permission to list apiservices.
func Preflight(ctx context.Context, reader client.Reader, group string, service types.NamespacedName) error {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(schema.GroupVersionKind{Group: "apiregistration.k8s.io", Version: "v1", Kind: "APIServiceList"})
	if err := reader.List(ctx, &list); err != nil {
		return fmt.Errorf("find out who owns API group %s (it needs permission to list apiservices.apiregistration.k8s.io): %w", group, err)
	}
	for _, item := range list.Items {
		if g, _, _ := unstructured.NestedString(item.Object, "spec", "group"); g != group {
			continue
		}
		namespace, _, _ := unstructured.NestedString(item.Object, "spec", "service", "namespace")
		name, _, _ := unstructured.NestedString(item.Object, "spec", "service", "name")
		if namespace == service.Namespace && name == service.Name {
			continue
		}
		owned := &OwnedError{Group: group, APIService: item.GetName()}
		if name != "" {
			owned.Owner = namespace + "/" + name
		}
		return owned
	}
	return nil
}
