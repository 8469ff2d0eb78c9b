package peaktext

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/spec"
	"headstart.dev/headstart/scheduler"
	"headstart.dev/headstart/scheduler/manifest"
)

// Read compiles the PeakSchedules of a namespace of the cluster, or of all of them for "". It fails if
// there is none, or if one of them cannot be evaluated.
func Read(ctx context.Context, c client.Reader, namespace string) ([]*scheduler.Schedule, error) {
	var schedules v1alpha1.PeakScheduleList
	if err := c.List(ctx, &schedules, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list PeakSchedules, since no --file is given: %w", spec.Explain(err))
	}
	var calendars v1alpha1.CalendarList
	if err := c.List(ctx, &calendars); err != nil {
		return nil, fmt.Errorf("list Calendars: %w", spec.Explain(err))
	}
	var all []manifest.Object
	for i := range schedules.Items {
		all = append(all, object("PeakSchedule", &schedules.Items[i]))
	}
	for i := range calendars.Items {
		all = append(all, object("Calendar", &calendars.Items[i]))
	}
	peaks, err := manifest.CompilePeaks(all)
	switch {
	case err != nil:
		return nil, err
	case len(peaks.Schedules) == 0 && namespace == "":
		return nil, errors.New("no PeakSchedules found in the cluster: --file reads a file")
	case len(peaks.Schedules) == 0:
		return nil, fmt.Errorf("no PeakSchedules found in namespace %s: -A reads all namespaces, and --file a file",
			namespace)
	}
	return peaks.Schedules, nil
}

// object returns an object of the cluster as that of a manifest.
func object(kind string, o client.Object) manifest.Object {
	raw, _ := json.Marshal(o) // it came as JSON
	return manifest.Object{APIVersion: v1alpha1.GroupVersion.String(), Kind: kind, Name: o.GetName(), Raw: raw}
}

// MissingCalendars returns what to do about Calendars that schedules name and no file has.
func MissingCalendars(objects []manifest.Object) string {
	have := map[string]bool{}
	for _, o := range objects {
		have[o.Kind+"/"+o.Name] = true
	}
	for _, o := range objects {
		var p v1alpha1.PeakSchedule
		if o.Kind != "PeakSchedule" || o.Decode(&p) != nil {
			continue
		}
		for _, days := range []*v1alpha1.Days{p.Spec.Only, p.Spec.Except} {
			if days == nil {
				continue
			}
			for _, name := range days.Calendars {
				if !have["Calendar/"+name] {
					return fmt.Sprintf("\nadd the file with Calendar %s as another --file", name)
				}
			}
		}
	}
	return ""
}
