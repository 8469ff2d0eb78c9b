package preflight

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/adapter"
	"headstart.dev/headstart/planner"
)

// serviceName is the name of Headstart's Service, in the manifests and in the chart.
const serviceName = "headstart"

// doorsOf is what a cluster has for each door.
type doorsOf struct {
	// taken is the error of each metrics group that has another owner.
	taken map[string]*adapter.OwnedError
	// keda reports whether the cluster serves ScaledObjects.
	keda bool
}

// readDoors asks for the owners of both groups, and for KEDA, also where one group
// was named: an alternative that is taken too would be no advice.
func readDoors(ctx context.Context, c client.Reader, service types.NamespacedName) (doorsOf, error) {
	out := doorsOf{taken: map[string]*adapter.OwnedError{}}
	for _, group := range []string{external_metrics.GroupName, custom_metrics.GroupName} {
		err := adapter.Preflight(ctx, c, group, service)
		if owned, ok := errors.AsType[*adapter.OwnedError](err); ok {
			out.taken[group] = owned
		} else if err != nil {
			return out, err
		}
	}
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(planner.ScaledObjectKind)
	err := c.List(ctx, &list, client.Limit(1))
	// Without the right to list them, they are there.
	out.keda = err == nil || apierrors.IsForbidden(err)
	if err != nil && !out.keda && !meta.IsNoMatchError(err) && !apierrors.IsNotFound(err) {
		return out, fmt.Errorf("look for KEDA: %w", err)
	}
	return out, nil
}

// alternative says what to install when a group has another owner: a door that is free.
func (d doorsOf) alternative(group string) string {
	free := func(other string) bool { return other != group && d.taken[other] == nil }
	switch {
	case d.keda:
		return "Install the overlay keda instead, and let a ScaledObject read the Forecast by a trigger of the type " +
			"external-push (docs/keda.md)" + d.orObject(free(custom_metrics.GroupName))
	case free(external_metrics.GroupName), free(custom_metrics.GroupName):
		return "" // The other group is free, and the error itself names it.
	}
	return "The other group has an owner too. Install KEDA and the overlay keda, which claims no group (docs/keda.md); " +
		"or, if the owner of a group is not needed any more, delete its APIService and install the overlay for that group"
}

func (d doorsOf) orObject(free bool) string {
	if !free {
		return ""
	}
	return "; for HPAs that KEDA did not make, the overlay custom-metrics serves an Object metric"
}
