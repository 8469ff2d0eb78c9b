package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// peaks are the compiled PeakSchedules that lift one Forecast. key changes whenever any of them does.
type peaks struct {
	schedules []*scheduler.Schedule
	key       string
	errs      []error
}

// Compiler turns PeakSchedules and Calendars into their compiled forms, once per change of either. Safe for concurrent use.
type Compiler struct {
	reader client.Reader

	mu        sync.Mutex
	schedules map[types.NamespacedName]compiled[*scheduler.Schedule]
	calendars map[types.NamespacedName]compiled[*scheduler.Calendar]
}

type compiled[T any] struct {
	version string
	value   T
	err     error
}

// NewCompiler reads schedules and calendars through a cache.
func NewCompiler(reader client.Reader) *Compiler {
	return &Compiler{reader: reader, schedules: map[types.NamespacedName]compiled[*scheduler.Schedule]{}, calendars: map[types.NamespacedName]compiled[*scheduler.Calendar]{}}
}

// lifts says whether a PeakSchedule picks a Forecast. A selector that cannot be read picks none: the PeakSchedule's own condition
// says so, and no Forecast suffers from what may not be meant for it.
func lifts(ps *v1alpha1.PeakSchedule, fc *v1alpha1.Forecast) bool {
	if ps.Namespace != fc.Namespace {
		return false
	}
	for _, ref := range ps.Spec.ForecastRefs {
		if ref.Name == fc.Name {
			return true
		}
	}
	if ps.Spec.ForecastSelector == nil {
		return false
	}
	selector, err := metav1.LabelSelectorAsSelector(ps.Spec.ForecastSelector)
	return err == nil && selector.Matches(labels.Set(fc.Labels))
}

// peaksOf compiles the PeakSchedules that lift a Forecast. A schedule that cannot be evaluated is left out and named in errs; the
// others still count.
func (c *Compiler) peaksOf(ctx context.Context, fc *v1alpha1.Forecast) (peaks, error) {
	var list v1alpha1.PeakScheduleList
	if err := c.reader.List(ctx, &list, client.InNamespace(fc.Namespace)); err != nil {
		return peaks{}, fmt.Errorf("list the PeakSchedules of %s: %w", fc.Namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b v1alpha1.PeakSchedule) int { return strings.Compare(a.Name, b.Name) })
	var out peaks
	var keys []string
	for i := range list.Items {
		ps := &list.Items[i]
		if !lifts(ps, fc) {
			continue
		}
		s, version, err := c.schedule(ctx, ps)
		keys = append(keys, version)
		if err != nil {
			out.errs = append(out.errs, fmt.Errorf("PeakSchedule %s: %w", ps.Name, err))
			continue
		}
		out.schedules = append(out.schedules, s)
	}
	out.key = strings.Join(keys, ",")
	return out, nil
}

// schedule compiles one PeakSchedule with the Calendars that it names. What is wrong with one of those is part of the error.
func (c *Compiler) schedule(ctx context.Context, ps *v1alpha1.PeakSchedule) (*scheduler.Schedule, string, error) {
	var names []string
	for _, days := range []*v1alpha1.Days{ps.Spec.Except, ps.Spec.Only} {
		if days != nil {
			names = append(names, days.Calendars...)
		}
	}
	found, err := c.lookUp(ctx, names)
	if err != nil {
		return nil, "error", err
	}
	version, key := fmt.Sprintf("%s/%d/%s", ps.UID, ps.Generation, found.version()), client.ObjectKeyFromObject(ps)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.schedules[key]; ok && known.version == version {
		return known.value, version, known.err
	}
	s, err := scheduler.Compile(ps.Name, ps.Spec, found.calendars)
	if err != nil {
		err = errors.Join(append([]error{err}, found.invalid...)...)
	}
	c.schedules[key] = compiled[*scheduler.Schedule]{version, s, err}
	return s, version, err
}

// lookedUp are Calendars by name: those that can be evaluated, and why others cannot. A name in neither does not exist.
type lookedUp struct {
	calendars scheduler.Calendars
	invalid   []error
	absent    []string
	versions  []string
}

// version changes whenever one of the Calendars does, comes or goes.
func (l *lookedUp) version() string { return strings.Join(l.versions, ",") }

func (c *Compiler) lookUp(ctx context.Context, names []string) (lookedUp, error) {
	out := lookedUp{calendars: scheduler.Calendars{}}
	for _, name := range names {
		var cal v1alpha1.Calendar
		if err := c.reader.Get(ctx, types.NamespacedName{Name: name}, &cal); apierrors.IsNotFound(err) {
			out.absent = append(out.absent, name)
			out.versions = append(out.versions, name+"/absent")
			continue
		} else if err != nil {
			return lookedUp{}, fmt.Errorf("read calendar %q: %w", name, err)
		}
		out.versions = append(out.versions, fmt.Sprintf("%s/%d", cal.UID, cal.Generation))
		compiledCal, err := c.calendar(&cal)
		if err != nil {
			out.invalid = append(out.invalid, fmt.Errorf("calendar %q: %w", name, err))
			continue
		}
		out.calendars[name] = compiledCal
	}
	return out, nil
}

// calendarsNamed compiles Calendars by name. The version changes whenever one of them does.
func (c *Compiler) calendarsNamed(ctx context.Context, names []string) (scheduler.Calendars, string, error) {
	found, err := c.lookUp(ctx, names)
	if err != nil {
		return scheduler.Calendars{}, "error", err
	}
	errs := found.invalid
	for _, name := range found.absent {
		errs = append(errs, fmt.Errorf("calendar %q does not exist: create it, or take it out", name))
	}
	return found.calendars, found.version(), errors.Join(errs...)
}

func (c *Compiler) calendar(cal *v1alpha1.Calendar) (*scheduler.Calendar, error) {
	version, key := fmt.Sprintf("%s/%d", cal.UID, cal.Generation), client.ObjectKeyFromObject(cal)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.calendars[key]; ok && known.version == version {
		return known.value, known.err
	}
	value, err := scheduler.CompileCalendar(cal.Name, cal.Spec)
	c.calendars[key] = compiled[*scheduler.Calendar]{version, value, err}
	return value, err
}

// forgetSchedule drops what was compiled for a PeakSchedule that is gone.
func (c *Compiler) forgetSchedule(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.schedules, key)
}

// forgetCalendar drops what was compiled for a Calendar that is gone.
func (c *Compiler) forgetCalendar(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calendars, key)
}
