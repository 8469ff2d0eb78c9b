package manifest

import (
	"cmp"
	"errors"
	"fmt"
	"io"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler"
)

// Peaks are what a file of PeakSchedules and Calendars declares.
type Peaks struct {
	Schedules []*scheduler.Schedule
	Calendars scheduler.Calendars
	// Warnings are sentences about what can be evaluated but is hardly meant.
	Warnings []string
}

// ReadPeaks is CompilePeaks for the objects of a file.
func ReadPeaks(r io.Reader) (Peaks, error) {
	objects, err := Read(r)
	if err != nil {
		return Peaks{}, err
	}
	return CompilePeaks(objects)
}

// CompilePeaks compiles the PeakSchedules among objects. Calendars may stand before or after them, and other objects beside them. A
// schedule that is in a namespace is named with it where two have the same name. The error names every field that cannot be
// evaluated.
func CompilePeaks(objects []Object) (Peaks, error) {
	out := Peaks{Calendars: scheduler.Calendars{}}
	var declared []v1alpha1.PeakSchedule
	var problems []error
	for _, o := range objects {
		switch {
		case o.Kind != "PeakSchedule" && o.Kind != "Calendar":
		case o.APIVersion != v1alpha1.GroupVersion.String():
			problems = append(problems, fmt.Errorf("%s %s: apiVersion %q is not %s", o.Kind, o.Name, o.APIVersion, v1alpha1.GroupVersion))
		case o.Kind == "PeakSchedule":
			var p v1alpha1.PeakSchedule
			if err := cmp.Or(quantities(o.Raw), o.Decode(&p)); err != nil {
				problems = append(problems, fmt.Errorf("PeakSchedule %s: %w", o.Name, err))
				continue
			}
			declared = append(declared, p)
		default:
			problems = append(problems, out.calendar(o))
		}
	}
	problems = append(problems, out.compile(declared))
	if err := errors.Join(problems...); err != nil {
		return Peaks{}, err
	}
	return out, nil
}

func (p *Peaks) calendar(o Object) error {
	var c v1alpha1.Calendar
	if err := o.Decode(&c); err != nil {
		return fmt.Errorf("calendar %s: %w", o.Name, err)
	}
	if p.Calendars[c.Name] != nil {
		return fmt.Errorf("calendar %s is there twice: leave one out", c.Name)
	}
	compiled, err := scheduler.CompileCalendar(c.Name, c.Spec)
	if err != nil {
		return fmt.Errorf("calendar %s: %w", c.Name, err)
	}
	p.Calendars[c.Name] = compiled
	return nil
}

func (p *Peaks) compile(declared []v1alpha1.PeakSchedule) error {
	named, full := map[string]int{}, map[string]int{}
	for _, d := range declared {
		named[d.Name]++
		full[d.Namespace+"/"+d.Name]++
	}
	var problems []error
	for _, d := range declared {
		name := d.Name
		if named[name] > 1 {
			name = d.Namespace + "/" + d.Name
			if full[name] > 1 {
				problems = append(problems, fmt.Errorf("PeakSchedule %s is there twice: leave one out", d.Name))
				continue
			}
		}
		s, err := scheduler.Compile(name, d.Spec, p.Calendars)
		if d.Spec.ForecastSelector == nil && d.Spec.ForecastRefs == nil {
			err = errors.Join(&v1alpha1.FieldError{Field: "spec", Remedy: "select Forecasts by forecastRefs or by forecastSelector"}, err)
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("PeakSchedule %s: %w", name, err))
			continue
		}
		for _, warning := range s.Warnings() {
			p.Warnings = append(p.Warnings, fmt.Sprintf("PeakSchedule %s: %s", name, warning))
		}
		p.Schedules = append(p.Schedules, s)
	}
	return errors.Join(problems...)
}
