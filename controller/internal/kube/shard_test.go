package kube

import (
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

// Whatever the kinds are named, one replica does not write what another owns.
func TestKeysOfKindsDiffer(t *testing.T) {
	named := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: "shop", Name: name}
	}
	keys := map[string]bool{}
	for _, key := range []string{
		ForecastKey(named("a")), PeakScheduleKey(named("a")), CalendarKey("a"), CalendarKey("shop/a"), WarmPoolKey("shop"),
		WarmPoolKey("a"),
	} {
		if keys[key] {
			t.Errorf("the key %q stands for two objects", key)
		}
		keys[key] = true
	}
}
