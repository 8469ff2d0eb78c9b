package kube

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// Shard says what this replica plans and writes. Another replica does the rest.
type Shard interface {
	// Owns reports whether this replica owns a key. Use the functions below to make keys.
	Owns(key string) bool
	// Changes returns a new channel that gets an event when the answers of Owns have changed.
	Changes() <-chan event.GenericEvent
}

// ForecastKey is the key of a Forecast. Equal names of different kinds may belong to different
// replicas.
func ForecastKey(name types.NamespacedName) string { return "forecast/" + name.String() }

// PeakScheduleKey is the key of a PeakSchedule.
func PeakScheduleKey(name types.NamespacedName) string { return "peakschedule/" + name.String() }

// CalendarKey is the key of a Calendar.
func CalendarKey(name string) string { return "calendar/" + name }

// WarmPoolKey is the key of all WarmPools of a namespace. They belong to one replica, because they
// share the Forecasts and the limits of the namespace.
func WarmPoolKey(namespace string) string { return "warmpools/" + namespace }

// Owns reports whether this replica owns a key. Without shards, the leader owns everything.
func Owns(s Shard, key string) bool { return s == nil || s.Owns(key) }

// ShardOptions returns options of a controller. With shards it runs on every replica, and otherwise
// on the leader.
func ShardOptions(s Shard, workers int) controller.Options {
	return controller.Options{MaxConcurrentReconciles: workers, NeedLeaderElection: new(s == nil)}
}

// ShardChanges is a source of requests for all objects, when the shards have changed. It has none
// without shards.
func ShardChanges(s Shard, all func(context.Context) []reconcile.Request) source.Source {
	changes := make(<-chan event.GenericEvent)
	if s != nil {
		changes = s.Changes()
	}
	return source.Channel(changes, handler.Funcs{
		GenericFunc: func(ctx context.Context, _ event.GenericEvent, q RequestQueue) {
			for _, req := range all(ctx) {
				q.Add(req)
			}
		},
	})
}
