package report

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	sigsyaml "sigs.k8s.io/yaml"

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

// OpenPeaks reads a file of PeakSchedules and Calendars, as one would apply it to a cluster. Which Forecasts a PeakSchedule
// selects is not looked at: all of them lift the replayed service.
func OpenPeaks(path string) (Peaks, error) {
	f, err := os.Open(path)
	if err != nil {
		return Peaks{}, fmt.Errorf("reading peaks: %w", err)
	}
	defer f.Close()
	p, err := ReadPeaks(f)
	if err != nil {
		return Peaks{}, fmt.Errorf("reading peaks from %s: %w", path, err)
	}
	return p, nil
}

// ReadPeaks is OpenPeaks for what is open already.
func ReadPeaks(r io.Reader) (Peaks, error) {
	var schedules []v1alpha1.PeakSchedule
	out := Peaks{Calendars: scheduler.Calendars{}}
	documents := yaml.NewYAMLReader(bufio.NewReader(r))
	for n := 1; ; n++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Peaks{}, fmt.Errorf("document %d: %w", n, err)
		}
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		if err := out.document(text, &schedules); err != nil {
			return Peaks{}, fmt.Errorf("document %d: %w", n, err)
		}
	}
	for _, s := range schedules {
		compiled, err := scheduler.Compile(s.Name, s.Spec, out.Calendars)
		if err != nil {
			return Peaks{}, fmt.Errorf("peak schedule %s: %w", s.Name, err)
		}
		out.Warnings = append(out.Warnings, compiled.Warnings()...)
		out.Schedules = append(out.Schedules, compiled)
	}
	if len(out.Schedules) == 0 && len(out.Calendars) == 0 {
		return Peaks{}, errors.New("no PeakSchedule in it")
	}
	return out, nil
}

func (p *Peaks) document(text []byte, schedules *[]v1alpha1.PeakSchedule) error {
	var kind *metav1.TypeMeta
	if err := sigsyaml.Unmarshal(text, &kind); err != nil {
		return err
	}
	if kind == nil { // comments only
		return nil
	}
	if group := v1alpha1.GroupVersion.String(); kind.APIVersion != group {
		return fmt.Errorf("apiVersion %q is not %s", kind.APIVersion, group)
	}
	switch kind.Kind {
	case "PeakSchedule":
		var s v1alpha1.PeakSchedule
		if err := sigsyaml.UnmarshalStrict(text, &s); err != nil {
			return err
		}
		*schedules = append(*schedules, s)
	case "Calendar":
		var c v1alpha1.Calendar
		if err := sigsyaml.UnmarshalStrict(text, &c); err != nil {
			return err
		}
		compiled, err := scheduler.CompileCalendar(c.Name, c.Spec)
		if err != nil {
			return fmt.Errorf("calendar %s: %w", c.Name, err)
		}
		p.Calendars[c.Name] = compiled
	default:
		return fmt.Errorf("kind %q is not PeakSchedule or Calendar", kind.Kind)
	}
	return nil
}
