package scheduler

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"headstart.dev/headstart/api/v1alpha1"
)

// Cache compiles PeakSchedules and Calendars, and keeps the results until an object changes. It
// tells versions apart by UID and generation, as the API server sets them. It is safe for
// concurrent use.
type Cache struct {
	mu        sync.Mutex
	schedules map[types.NamespacedName]compiled[*Schedule]
	calendars map[string]compiled[*Calendar]
}

// compiled is the result for one version of an object.
type compiled[T any] struct {
	version string
	value   T
	err     error
}

// NewCache returns an empty Cache.
func NewCache() *Cache {
	return &Cache{
		schedules: map[types.NamespacedName]compiled[*Schedule]{},
		calendars: map[string]compiled[*Calendar]{},
	}
}

// Calendar compiles a Calendar, see [CompileCalendar].
func (c *Cache) Calendar(cal *v1alpha1.Calendar) (*Calendar, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	version := fmt.Sprintf("%s/%d", cal.UID, cal.Generation)
	if known, ok := c.calendars[cal.Name]; ok && known.version == version {
		return known.value, known.err
	}
	value, err := CompileCalendar(cal.Name, cal.Spec)
	c.calendars[cal.Name] = compiled[*Calendar]{version, value, err}
	return value, err
}

// Schedule compiles a PeakSchedule with those of the Calendars that it names, see [Compile]. Where
// one of these is invalid, the error says why.
func (c *Cache) Schedule(ps *v1alpha1.PeakSchedule, calendars []v1alpha1.Calendar) (*Schedule, error) {
	s, _, err := c.schedule(ps, calendars)
	return s, err
}

// schedule also returns a version, which changes whenever the PeakSchedule or one of the Calendars
// that it names is changed, created or deleted.
func (c *Cache) schedule(ps *v1alpha1.PeakSchedule, calendars []v1alpha1.Calendar) (*Schedule, string, error) {
	named := c.named(calendarNames(&ps.Spec), calendars)
	version := fmt.Sprintf("%s/%d/%s", ps.UID, ps.Generation, named.version())
	key := types.NamespacedName{Namespace: ps.Namespace, Name: ps.Name}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.schedules[key]; ok && known.version == version {
		return known.value, version, known.err
	}
	s, err := Compile(ps.Name, ps.Spec, named.valid)
	if err != nil {
		err = errors.Join(append([]error{err}, named.invalid...)...)
	}
	c.schedules[key] = compiled[*Schedule]{version, s, err}
	return s, version, err
}

// ForgetSchedule drops the result for a PeakSchedule that was deleted.
func (c *Cache) ForgetSchedule(key types.NamespacedName) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.schedules, key)
}

// ForgetCalendar drops the result for a Calendar that was deleted.
func (c *Cache) ForgetCalendar(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calendars, name)
}

// namedCalendars are the Calendars of a list of names.
type namedCalendars struct {
	valid    Calendars
	invalid  []error  // why each of the others that exist cannot be evaluated
	missing  []string // names of no Calendar
	versions []string
}

// version changes whenever one of the Calendars is changed, created or deleted.
func (n *namedCalendars) version() string { return strings.Join(n.versions, ",") }

// named compiles the Calendars of these names.
func (c *Cache) named(names []string, calendars []v1alpha1.Calendar) namedCalendars {
	out := namedCalendars{valid: Calendars{}}
	for _, name := range names {
		i := slices.IndexFunc(calendars, func(cal v1alpha1.Calendar) bool { return cal.Name == name })
		if i < 0 {
			out.missing = append(out.missing, name)
			out.versions = append(out.versions, name+"/missing")
			continue
		}
		cal := &calendars[i]
		out.versions = append(out.versions, fmt.Sprintf("%s/%d", cal.UID, cal.Generation))
		value, err := c.Calendar(cal)
		if err != nil {
			out.invalid = append(out.invalid, fmt.Errorf("calendar %q: %w", name, err))
			continue
		}
		out.valid[name] = value
	}
	return out
}

// calendarNames returns the names of the Calendars in except and only.
func calendarNames(spec *v1alpha1.PeakScheduleSpec) []string {
	var names []string
	for _, days := range []*v1alpha1.Days{spec.Except, spec.Only} {
		if days != nil {
			names = append(names, days.Calendars...)
		}
	}
	return names
}

// byName orders PeakSchedules by name, and by namespace where names are the same.
func byName(a, b *v1alpha1.PeakSchedule) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
}
