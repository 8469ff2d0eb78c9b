package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// Peaks are the PeakSchedules and Calendars of a file, compiled.
type Peaks struct {
	Schedules []*scheduler.Schedule
	Calendars scheduler.Calendars
	// Warnings are sentences about fields that are valid but probably not intended.
	Warnings []string
}

// ReadPeaks reads a file and compiles its objects, see [CompilePeaks].
func ReadPeaks(r io.Reader) (Peaks, error) {
	objects, err := Read(r)
	if err != nil {
		return Peaks{}, err
	}
	return CompilePeaks(objects)
}

// CompilePeaks compiles the PeakSchedules and Calendars among objects. Their order does not matter,
// and other kinds are skipped. Where two PeakSchedules have the same name, their names include the
// namespace. The error names every field that cannot be evaluated.
func CompilePeaks(objects []Object) (Peaks, error) {
	out := Peaks{Calendars: scheduler.Calendars{}}
	var declared []v1alpha1.PeakSchedule
	var errs []error
	for _, o := range objects {
		switch {
		case o.Kind != "PeakSchedule" && o.Kind != "Calendar":
		case o.APIVersion != v1alpha1.GroupVersion.String():
			errs = append(errs,
				fmt.Errorf("%s %s: apiVersion %q is not %s", o.Kind, o.Name, o.APIVersion, v1alpha1.GroupVersion))
		case o.Kind == "PeakSchedule":
			var p v1alpha1.PeakSchedule
			if err := cmp.Or(quantities(o.Raw), o.Decode(&p)); err != nil {
				errs = append(errs, fmt.Errorf("PeakSchedule %s: %w", o.Name, err))
				continue
			}
			declared = append(declared, p)
		default:
			errs = append(errs, out.addCalendar(o))
		}
	}
	errs = append(errs, out.addSchedules(declared))
	if err := errors.Join(errs...); err != nil {
		return Peaks{}, err
	}
	return out, nil
}

func (p *Peaks) addCalendar(o Object) error {
	var c v1alpha1.Calendar
	if err := o.Decode(&c); err != nil {
		return fmt.Errorf("calendar %s: %w", o.Name, err)
	}
	if p.Calendars[c.Name] != nil {
		return fmt.Errorf("calendar %s is declared twice: remove one of them", c.Name)
	}
	compiled, err := scheduler.CompileCalendar(c.Name, c.Spec)
	if err != nil {
		return fmt.Errorf("calendar %s: %w", c.Name, err)
	}
	p.Calendars[c.Name] = compiled
	return nil
}

func (p *Peaks) addSchedules(declared []v1alpha1.PeakSchedule) error {
	named, full := map[string]int{}, map[string]int{}
	for _, d := range declared {
		named[d.Name]++
		full[d.Namespace+"/"+d.Name]++
	}
	var errs []error
	for _, d := range declared {
		name := d.Name
		if named[name] > 1 {
			name = d.Namespace + "/" + d.Name
			if full[name] > 1 {
				errs = append(errs, fmt.Errorf("PeakSchedule %s is declared twice: remove one of them", d.Name))
				continue
			}
		}
		s, err := scheduler.Compile(name, d.Spec, p.Calendars)
		if d.Spec.ForecastSelector == nil && d.Spec.ForecastRefs == nil {
			err = errors.Join(&v1alpha1.FieldError{
				Field: "spec", Remedy: "select Forecasts by forecastRefs or by forecastSelector",
			}, err)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("PeakSchedule %s: %w", name, err))
			continue
		}
		for _, warning := range s.Warnings() {
			p.Warnings = append(p.Warnings, fmt.Sprintf("PeakSchedule %s: %s", name, warning))
		}
		p.Schedules = append(p.Schedules, s)
	}
	return errors.Join(errs...)
}
