package convert

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// period is the time between two cron expressions, start and end, with its number of replicas.
type period struct {
	name, zone, start, end string
	replicas               int32
}

// periodBounds are the replicas between which periods have an effect.
type periodBounds struct {
	least, most int32
	// leastField is what least is called where the period is converted to.
	leastField string
	// original is the name of the autoscaler that is converted, and mostField what it calls most.
	original, mostField string
}

// periodGroups converts periods to windows: each lasts from a start to the first end after it. It
// notes a period that the bounds of the original leave without effect, or cut.
func (s *source) periodGroups(periods []period, b periodBounds) ([]windowGroup, error) {
	byZone := map[string][]v1alpha1.PeakWindow{}
	for _, p := range periods {
		if p.replicas <= b.least {
			s.note("%s wants %d replicas, which is not more than %s: it has no effect, and no window is written",
				p.name, p.replicas, b.leastField)
			continue
		}
		if p.replicas > b.most {
			s.note("%s wants %d replicas, and %s never runs more than its %s: %s stays %d. "+
				"If %d are wanted, raise it", p.name, p.replicas, b.original, b.mostField, s.names().Max, b.most, p.replicas)
		}
		windows, err := s.windows([]action{{p.name, p.end, 0}, {p.name, p.start, p.replicas}}, p.zone)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		if isEndless(windows) {
			s.note("%s never ends, because a start is at every end, so it wants %d replicas at all times: if that is not "+
				"meant, correct its end; if it is, set %s", p.name, p.replicas, s.names().Min)
		}
		byZone[p.zone] = append(byZone[p.zone], windows...)
	}
	return s.groupsByZone(byZone), nil
}

// isEndless reports whether windows that repeat every week are one window without an end.
func isEndless(windows []v1alpha1.PeakWindow) bool {
	if len(windows) != 1 || windows[0].Schedule == "" {
		return false
	}
	duration, err := windows[0].Duration.Parse()
	f := strings.Fields(windows[0].Schedule)
	return err == nil && duration >= week*time.Minute && isWildcard(f[2]) && isWildcard(f[3])
}

// windows returns the windows of actions whose lowest level is 0.
func (s *source) windows(actions []action, zone string) ([]v1alpha1.PeakWindow, error) {
	if !repeatWeekly(actions) {
		return s.datedWindows(actions, 0, zone)
	}
	recurring, err := levels(actions, nil)
	if err != nil {
		return nil, err
	}
	return windowsAbove(recurring, 0), nil
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
