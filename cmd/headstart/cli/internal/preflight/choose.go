package preflight

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/scheduler/door"
)

// Choose returns the door for a new autoscaler in a cluster, and why: one that Headstart serves
// there already, KEDA's where that is installed, or one that is free. Headstart's Service has the
// name headstart, in any namespace.
func Choose(ctx context.Context, c client.Reader) (door.Door, string, error) {
	doors, err := readDoors(ctx, c, types.NamespacedName{})
	if err != nil {
		return "", "", err
	}
	const external, custom = external_metrics.GroupName, custom_metrics.GroupName
	served := func(group string) bool {
		return doors.taken[group] != nil && doors.taken[group].Service.Name == serviceName
	}
	free := func(group string) bool { return doors.taken[group] == nil }
	switch {
	case served(external):
		return door.External, "Headstart serves " + external, nil
	case served(custom):
		return door.Object, "Headstart serves " + custom, nil
	case doors.keda:
		return door.KEDA, "KEDA is installed", nil
	case free(external):
		return door.External, "nobody serves " + external, nil
	case free(custom):
		return door.Object, fmt.Sprintf("%s belongs to another server, and nobody serves %s", external, custom), nil
	}
	return "", "", errors.New("both metrics groups belong to other servers, and KEDA is not installed: " +
		"headstart preflight says what to do")
}
