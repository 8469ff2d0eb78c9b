package schedules

import (
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/controller/internal/kube"
)

// Options are what the reconcilers of this package work with.
type Options struct {
	// Client reads from the cache of the manager.
	Client client.Client
	// Compiler is shared with the planning of Forecasts.
	Compiler *Compiler
	// Recorder gets an Event for each condition that changes.
	Recorder events.EventRecorder
	// Clock tells the time.
	Clock clock.PassiveClock
	// Shard says which objects this replica owns; nil owns everything.
	Shard kube.Shard
}

// SetupWithManager adds the reconcilers of PeakSchedules and Calendars to a manager.
func SetupWithManager(mgr ctrl.Manager, opts Options) error {
	if err := (&PeakScheduleReconciler{Options: opts}).setup(mgr); err != nil {
		return err
	}
	return (&CalendarReconciler{Options: opts}).setup(mgr)
}
