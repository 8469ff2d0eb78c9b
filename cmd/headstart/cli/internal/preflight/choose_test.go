package preflight

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/scheduler/door"
)

func TestChoose(t *testing.T) {
	const external, custom = "external.metrics.k8s.io", "custom.metrics.k8s.io"
	kedas := ownedBy(external, "keda", "keda-operator-metrics-apiserver")
	prometheus := ownedBy(custom, "monitoring", "prometheus-adapter")
	for name, tc := range map[string]struct {
		reason string
		owners []client.Object
		keda   bool
		want   door.Door
		why    string
	}{
		"nothing":              {"it is the default", nil, false, door.External, "nobody serves " + external},
		"KEDA":                 {"it reads a trigger", []client.Object{kedas}, true, door.KEDA, "KEDA is installed"},
		"KEDA without a group": {"it claims the group soon", nil, true, door.KEDA, "KEDA is installed"},
		"another server": {
			"the other group is free",
			[]client.Object{ownedBy(external, "datadog", "agent")},
			false, door.Object,
			"belongs to another server",
		},
		"prometheus-adapter": {
			"it serves the other group", []client.Object{prometheus}, false, door.External, "nobody serves " + external,
		},
		"Headstart": {
			"it is served already, also from another namespace",
			[]client.Object{ownedBy(external, "scaling", "headstart")},
			true, door.External, "Headstart serves " + external,
		},
		"Headstart beside KEDA": {
			"an Object metric is served already",
			[]client.Object{kedas, ownedBy(custom, "headstart-system", "headstart")},
			true, door.Object, "Headstart serves " + custom,
		},
		"all taken": {
			"no door is free",
			[]client.Object{ownedBy(external, "datadog", "agent"), prometheus},
			false, "",
			"headstart preflight",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, why, err := Choose(t.Context(), cluster(tc.keda, tc.owners...))
			if err != nil {
				why = err.Error()
			}
			if got != tc.want || !strings.Contains(why, tc.why) || (err != nil) != (tc.want == "") {
				t.Errorf("%s: door %q, because %q, error %v; want %q, because %q", tc.reason, got, why, err, tc.want, tc.why)
			}
		})
	}
}
