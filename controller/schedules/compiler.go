package schedules

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// Compiler reads PeakSchedules and Calendars, and caches their compiled forms, see
// [scheduler.Cache]. It is safe for concurrent use.
type Compiler struct {
	*scheduler.Cache
	reader client.Reader
}

// NewCompiler returns a Compiler that reads PeakSchedules and Calendars from reader.
func NewCompiler(reader client.Reader) *Compiler {
	return &Compiler{Cache: scheduler.NewCache(), reader: reader}
}

// Selection returns the compiled PeakSchedules that select a Forecast, and its compiled Calendars.
// learned are the names of the Calendars whose days the forecast learns.
func (c *Compiler) Selection(
	ctx context.Context, fc *v1alpha1.Forecast, learned []string,
) (scheduler.Selection, error) {
	var list v1alpha1.PeakScheduleList
	if err := c.reader.List(ctx, &list, client.InNamespace(fc.Namespace)); err != nil {
		return scheduler.Selection{}, fmt.Errorf("list the PeakSchedules of %s: %w", fc.Namespace, err)
	}
	calendars, err := c.calendars(ctx, scheduler.CalendarNames(learned, list.Items))
	if err != nil {
		return scheduler.Selection{}, err
	}
	return c.Select(fc, learned, list.Items, calendars), nil
}

// schedule compiles one PeakSchedule with the Calendars that it names.
func (c *Compiler) schedule(ctx context.Context, ps *v1alpha1.PeakSchedule) (*scheduler.Schedule, error) {
	calendars, err := c.calendars(ctx, scheduler.CalendarNames(nil, []v1alpha1.PeakSchedule{*ps}))
	if err != nil {
		return nil, err
	}
	return c.Schedule(ps, calendars)
}

// calendars reads the Calendars of these names. Those that do not exist are left out.
func (c *Compiler) calendars(ctx context.Context, names []string) ([]v1alpha1.Calendar, error) {
	var out []v1alpha1.Calendar
	for _, name := range names {
		var cal v1alpha1.Calendar
		err := c.reader.Get(ctx, types.NamespacedName{Name: name}, &cal)
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read calendar %q: %w", name, err)
		default:
			out = append(out, cal)
		}
	}
	return out, nil
}

// selects reports whether a PeakSchedule selects a Forecast. An invalid selector selects nothing.
// The condition of the PeakSchedule has the error; a Forecast that may not be meant is not
// affected.
func selects(ps *v1alpha1.PeakSchedule, fc *v1alpha1.Forecast) bool {
	matcher, _ := ps.ForecastMatcher()
	return matcher.Matches(fc)
}
