package spec

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/planner"
)

// readScaledObjects reads the ScaledObjects of a namespace; none where the cluster has no KEDA. One
// that cannot be read is left out, as on the server.
func readScaledObjects(ctx context.Context, c client.Reader, namespace string) ([]planner.ScaledObject, error) {
	var list unstructured.UnstructuredList
	list.SetGroupVersionKind(planner.ScaledObjectKind)
	err := c.List(ctx, &list, client.InNamespace(namespace))
	switch {
	case meta.IsNoMatchError(err) || apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("list ScaledObjects: %w", err)
	}
	var out []planner.ScaledObject
	for i := range list.Items {
		if parsed, err := planner.ReadScaledObject(&list.Items[i]); err == nil {
			out = append(out, parsed)
		}
	}
	return out, nil
}
