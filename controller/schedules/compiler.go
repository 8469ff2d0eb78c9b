package schedules

import (
	"context"
	"fmt"
	"sync"

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

	mu       sync.Mutex
	matchers map[types.NamespacedName]matcherOf
}

// matcherOf is the matcher of a version of a PeakSchedule.
type matcherOf struct {
	uid        types.UID
	generation int64
	v1alpha1.ForecastMatcher
}

// NewCompiler returns a Compiler that reads PeakSchedules and Calendars from reader.
func NewCompiler(reader client.Reader) *Compiler {
	return &Compiler{
		Cache: scheduler.NewCache(), reader: reader, matchers: map[types.NamespacedName]matcherOf{},
	}
}

// Selection returns the compiled PeakSchedules that select a Forecast, and its compiled Calendars.
// learned are the names of the Calendars whose days the forecast learns.
func (c *Compiler) Selection(
	ctx context.Context, fc *v1alpha1.Forecast, learned []string,
) (scheduler.Selection, error) {
	found, err := c.selecting(ctx, fc)
	if err != nil {
		return scheduler.Selection{}, fmt.Errorf("list the PeakSchedules of %s: %w", fc.Namespace, err)
	}
	calendars, err := c.calendars(ctx, scheduler.CalendarNames(learned, found))
	if err != nil {
		return scheduler.Selection{}, err
	}
	return c.Select(fc, learned, found, calendars), nil
}

// selecting lists the PeakSchedules that select a Forecast. They must not be changed.
//
// A namespace may have thousands, and each Forecast asks once a minute. So they are not copied, and
// their selectors are parsed once.
func (c *Compiler) selecting(ctx context.Context, fc *v1alpha1.Forecast) ([]v1alpha1.PeakSchedule, error) {
	var list v1alpha1.PeakScheduleList
	if err := c.reader.List(ctx, &list, client.InNamespace(fc.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	kept := list.Items[:0]
	for i := range list.Items {
		if c.matcher(&list.Items[i]).Matches(fc) {
			kept = append(kept, list.Items[i])
		}
	}
	return kept, nil
}

// matcher returns the matcher of a PeakSchedule. An invalid selector selects nothing. The condition
// of the PeakSchedule has the error; a Forecast that may not be meant is not affected. The caller
// holds the lock.
func (c *Compiler) matcher(ps *v1alpha1.PeakSchedule) v1alpha1.ForecastMatcher {
	key := client.ObjectKeyFromObject(ps)
	m, ok := c.matchers[key]
	if !ok || m.uid != ps.UID || m.generation != ps.Generation {
		m = matcherOf{uid: ps.UID, generation: ps.Generation}
		m.ForecastMatcher, _ = ps.ForecastMatcher()
		c.matchers[key] = m
	}
	return m.ForecastMatcher
}

// ForgetSchedule removes a PeakSchedule that does not exist any more.
func (c *Compiler) ForgetSchedule(key types.NamespacedName) {
	c.mu.Lock()
	delete(c.matchers, key)
	c.mu.Unlock()
	c.Cache.ForgetSchedule(key)
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
