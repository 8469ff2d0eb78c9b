package convert

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// period is the time between two cron expressions, start and end, with its number of replicas.
type period struct {
	name, zone, start, end string
	replicas               int32
}

// periodGroups converts periods to windows: each lasts from a start to the first end after it. It
// also returns the largest number of replicas, which is at least minReplicas.
func (s *source) periodGroups(periods []period, minReplicas int32) ([]windowGroup, int32, error) {
	highest := minReplicas
	byZone := map[string][]v1alpha1.PeakWindow{}
	for _, p := range periods {
		recurring, dates, err := levels([]action{{p.name, p.end, 0}, {p.name, p.start, p.replicas}}, nil)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", p.name, err)
		}
		highest = max(highest, p.replicas)
		if p.replicas <= minReplicas {
			s.note("%s wants %d replicas, which is not more than minReplicas: it has no effect", p.name, p.replicas)
		}
		byZone[p.zone] = append(byZone[p.zone], windowsAbove(recurring, 0, dates)...)
	}
	return s.groupsByZone(byZone), highest, nil
}

// groupsByZone makes one group for each zone, and gives the windows different names.
func (s *source) groupsByZone(byZone map[string][]v1alpha1.PeakWindow) []windowGroup {
	var out []windowGroup
	for _, zone := range slices.Sorted(maps.Keys(byZone)) {
		name := s.meta.Name
		if len(byZone) > 1 {
			name += "-" + uniqueName(map[string]int{}, zone)
		}
		used := map[string]int{}
		for i := range byZone[zone] {
			byZone[zone][i].Name = uniqueName(used, byZone[zone][i].Name)
		}
		out = append(out, windowGroup{name: name, timeZone: zone, windows: byZone[zone]})
	}
	return out
}

func (s *source) noteClockChange() {
	s.note("where the clock changes during a window, the window ends an hour earlier or later on the wall clock, " +
		"because durations are elapsed time")
}

// valueOr returns *p, or otherwise where p is nil.
func valueOr[T any](p *T, otherwise T) T {
	if p == nil {
		return otherwise
	}
	return *p
}

func quantity(n int64) resource.Quantity { return *resource.NewQuantity(n, resource.DecimalSI) }
