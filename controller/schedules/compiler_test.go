package schedules

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
)

// listReader lists PeakSchedules without a copy, as the cache does.
type listReader struct {
	client.Reader
	items []v1alpha1.PeakSchedule
}

func (r *listReader) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	var o client.ListOptions
	o.ApplyOptions(opts)
	if o.UnsafeDisableDeepCopy == nil || !*o.UnsafeDisableDeepCopy {
		return fmt.Errorf("a copy of %d PeakSchedules is asked for", len(r.items))
	}
	out, ok := list.(*v1alpha1.PeakScheduleList)
	if !ok {
		return fmt.Errorf("%T is asked for", list)
	}
	out.Items = append([]v1alpha1.PeakSchedule(nil), r.items...)
	return nil
}

// A namespace with thousands of PeakSchedules costs each Forecast little more than one with those
// that select it.
func TestThousandsOfPeakSchedules(t *testing.T) {
	r := &listReader{}
	for i := range 3000 {
		ps := peakSchedule(noonWindow())
		ps.Name, ps.UID = fmt.Sprint("peak-", i), types.UID(fmt.Sprint(i))
		ps.Spec.ForecastRefs[0].Name = fmt.Sprint("other-", i)
		r.items = append(r.items, *ps)
	}
	c, fc := NewCompiler(r), forecastNamed("affected", nil)
	selected := func() []v1alpha1.PeakSchedule {
		found, err := c.selecting(t.Context(), fc)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if got := selected(); len(got) != 0 {
		t.Fatalf("%d PeakSchedules of others select the Forecast", len(got))
	}
	if n := testing.AllocsPerRun(5, func() { selected() }); n > 20 {
		t.Errorf("%.0f allocations for a look at 3,000 PeakSchedules, want a few", n)
	}
	changed := r.items[1234].DeepCopy()
	changed.Generation++
	changed.Spec.ForecastRefs[0].Name = "affected"
	r.items[1234] = *changed
	if got := selected(); len(got) != 1 || got[0].Name != "peak-1234" {
		t.Errorf("%d PeakSchedules select the Forecast after one of them was changed to", len(got))
	}
	c.ForgetSchedule(client.ObjectKeyFromObject(changed))
	if len(c.matchers) != 2999 {
		t.Errorf("%d matchers are kept, want 2999", len(c.matchers))
	}
}
