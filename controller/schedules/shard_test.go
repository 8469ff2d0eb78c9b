package schedules

import (
	"context"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"headstart.dev/headstart/api/v1alpha1"
)

// ownsNothing is the shard of a replica that owns no object.
type ownsNothing struct{}

func (ownsNothing) Owns(string) bool                   { return false }
func (ownsNothing) Changes() <-chan event.GenericEvent { return nil }

func TestObjectsOfAnotherReplicaAreNotWritten(t *testing.T) {
	f := newScheduleFixture(
		&v1alpha1.PeakSchedule{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "noon"}},
		&v1alpha1.Calendar{ObjectMeta: metav1.ObjectMeta{Name: "days"}})
	writes := 0
	opts := f.Options
	opts.Shard = ownsNothing{}
	opts.Client = interceptor.NewClient(f.Client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(
			context.Context, client.Client, string, client.Object, client.Patch, ...client.SubResourcePatchOption,
		) error {
			writes++
			return nil
		},
	})
	for key, r := range map[types.NamespacedName]interface {
		Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error)
	}{
		{Namespace: "shop", Name: "noon"}: &PeakScheduleReconciler{Options: opts},
		{Name: "days"}:                    &CalendarReconciler{Options: opts},
	} {
		if got, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key}); err != nil || got != (ctrl.Result{}) {
			t.Errorf("%s: %+v, %v; want nothing", key, got, err)
		}
	}
	if writes != 0 {
		t.Errorf("%d objects of another replica were written", writes)
	}
}
