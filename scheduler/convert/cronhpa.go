package convert

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
)

// job is one timed action of cronhpa and of TKE's autoscalers, which have the same semantics.
type job struct {
	Name           string   `json:"name"`
	Schedule       string   `json:"schedule"`
	TargetSize     *count   `json:"targetSize"`
	TargetReplicas *count   `json:"targetReplicas"`
	RunOnce        bool     `json:"runOnce"`
	ExcludeDates   []string `json:"excludeDates"`
}

// defaultJobZone is assumed, because cronhpa and TKE's autoscalers follow the clock of their own
// process.
const defaultJobZone = "Asia/Shanghai"

func fromCronHPA(s *source) error {
	var in struct {
		Spec struct {
			ScaleTargetRef workload `json:"scaleTargetRef"`
			Jobs           []job    `json:"jobs"`
			ExcludeDates   []string `json:"excludeDates"`
		} `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	s.noteUnsupported(fields("excludeDates").with("scaleTargetRef", workloadFields()).
		with("jobs", fields("name", "schedule", "targetSize", "runOnce")))
	return s.fromJobs(in.Spec.ScaleTargetRef, in.Spec.Jobs, in.Spec.ExcludeDates, true)
}

func fromTKE(s *source) error {
	var in struct {
		Spec struct {
			ScaleTarget workload `json:"scaleTarget"`
			Crons       []job    `json:"crons"`
		} `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	s.noteUnsupported(fieldSet{}.with("scaleTarget", workloadFields().with("namespace", nil)).
		with("crons", fields("name", "schedule", "targetSize", "excludeDates")))
	var exclude []string
	for i, c := range in.Spec.Crons {
		if i > 0 && !slices.Equal(c.ExcludeDates, in.Spec.Crons[0].ExcludeDates) {
			s.note("its crons exclude different dates, and a PeakSchedule has one set of exceptions: " +
				"every one of these dates is an exception for all windows")
		}
		exclude = append(exclude, c.ExcludeDates...)
	}
	slices.Sort(exclude)
	return s.fromJobs(in.Spec.ScaleTarget, in.Spec.Crons, slices.Compact(exclude), true)
}

func fromTKEStack(s *source) error {
	var in struct {
		Spec struct {
			ScaleTargetRef workload `json:"scaleTargetRef"`
			Crons          []job    `json:"crons"`
		} `json:"spec"`
	}
	if err := s.decode(&in); err != nil {
		return err
	}
	s.noteUnsupported(fieldSet{}.with("scaleTargetRef", workloadFields()).
		with("crons", fields("name", "schedule", "targetReplicas")))
	return s.fromJobs(in.Spec.ScaleTargetRef, in.Spec.Crons, nil, false)
}

// fromJobs converts timed actions. Each number of replicas lasts until the next action. The
// smallest becomes the minimum of the autoscaler, and larger ones become windows. With seconds,
// schedules have six fields.
func (s *source) fromJobs(target workload, jobs []job, exclude []string, seconds bool) error {
	if target.Name == "" {
		return errNoTarget
	}
	zone := s.c.options.TimeZone
	if zone == "" {
		zone = defaultJobZone
		s.note("it follows the clock of the process that it runs in: %s is assumed; "+
			"give another zone with --time-zone", zone)
	}
	location, err := v1alpha1.TimeZone(zone).Location()
	if err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	actions, once := s.actions(jobs, location, seconds)
	if len(actions) == 0 {
		return fmt.Errorf("none of its %d jobs recurs and can be converted: "+
			"declare windows that occur once by hand, with start and duration", len(jobs))
	}
	except, skip := s.exceptions(exclude, repeatWeekly(actions))
	windows, bounds, err := s.jobWindows(actions, skip, zone)
	if err != nil {
		return err
	}
	group := windowGroup{name: s.meta.Name, timeZone: zone, windows: windows, except: except}
	for _, o := range once {
		bounds.max = max(bounds.max, o.replicas)
		group.windows = append(group.windows, s.onceWindow(o, actions, skip, location))
	}
	if len(actions) > 1 {
		s.noteSameMinute(actions)
	}
	s.noteLevels(bounds.min)
	s.stopOriginal = "delete it"
	v := conversion{
		name: s.meta.Name, min: bounds.min, max: bounds.max, capacity: "1", groups: []windowGroup{group},
	}
	v.target = s.scaled(target, &v)
	return s.write(v)
}

// replicaBounds are the smallest and the largest number of replicas that actions set.
type replicaBounds struct{ min, max int32 }

// jobWindows returns the windows of the levels above the smallest one.
func (s *source) jobWindows(
	actions []action, skip map[int]bool, zone string,
) (windows []v1alpha1.PeakWindow, bounds replicaBounds, err error) {
	bySize := func(a, b action) int { return cmp.Compare(a.replicas, b.replicas) }
	bounds = replicaBounds{slices.MinFunc(actions, bySize).replicas, slices.MaxFunc(actions, bySize).replicas}
	if !repeatWeekly(actions) {
		windows, err = s.datedWindows(actions, bounds.min, zone)
		return windows, bounds, err
	}
	recurring, err := levels(actions, skip)
	if err != nil {
		return nil, bounds, err
	}
	byReplicas := func(a, b level) int { return cmp.Compare(a.replicas, b.replicas) }
	bounds.min = slices.MinFunc(recurring, byReplicas).replicas
	bounds.max = slices.MaxFunc(recurring, byReplicas).replicas
	return windowsAbove(recurring, bounds.min), bounds, nil
}

// actions returns the jobs that recur, and those that happen once. It notes the jobs that are
// neither.
func (s *source) actions(jobs []job, location *time.Location, seconds bool) (recurring []action, once []onceAction) {
	for _, j := range jobs {
		size := j.TargetSize
		if size == nil {
			size = j.TargetReplicas
		}
		if size == nil {
			s.note("%s is not converted, because it has no target size: for a range of replicas, "+
				"use %s and %s of the %s", j.Name, s.names().Min, s.names().Max, s.names().Kind)
			continue
		}
		if text, ok := strings.CutPrefix(j.Schedule, "@date "); ok {
			at, err := time.ParseInLocation(time.DateTime, strings.TrimSpace(text), location)
			if err != nil {
				s.note("%s is not converted: %q is not a date and time", j.Name, j.Schedule)
				continue
			}
			once = append(once, onceAction{j.Name, at, int32(*size)})
			continue
		}
		cron, err := s.fiveFields(j, seconds)
		if err != nil {
			s.note("%s is not converted: %v", j.Name, err)
			continue
		}
		if j.RunOnce {
			s.note("%s ran once and now recurs, because its schedule does not name a year: "+
				"give the window a start instead of a schedule", j.Name)
		}
		recurring = append(recurring, action{j.Name, cron, int32(*size)})
	}
	return recurring, once
}

// fiveFields returns the schedule of a job as a cron expression without seconds and macros.
func (s *source) fiveFields(j job, seconds bool) (string, error) {
	macros := map[string]string{
		"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
	}
	if cron, ok := macros[j.Schedule]; ok {
		return cron, nil
	}
	if strings.HasPrefix(j.Schedule, "@") {
		return "", fmt.Errorf("%q names no time of day", j.Schedule)
	}
	f := strings.Fields(j.Schedule)
	if !seconds {
		return strings.Join(f, " "), nil
	}
	if len(f) != 6 {
		return "", fmt.Errorf("schedule %q has %d fields, not six", j.Schedule, len(f))
	}
	if f[0] != "0" && f[0] != "00" {
		s.note("%s: second %q of its schedule became 0", j.Name, f[0])
	}
	return strings.Join(f[1:], " "), nil
}

// onceAction is an action at one date.
type onceAction struct {
	name     string
	at       time.Time
	replicas int32
}

// onceWindow returns a window from an action at one date to the next recurring action.
func (s *source) onceWindow(
	o onceAction, actions []action, skip map[int]bool, location *time.Location,
) v1alpha1.PeakWindow {
	local := o.at.In(location)
	wall := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), 0, 0, time.UTC)
	duration := week
	if times, err := actionTimes(actions, skip); err == nil && repeatWeekly(actions) {
		minute := (int(local.Weekday())+6)%7*day + local.Hour()*60 + local.Minute()
		for _, t := range times {
			if until := (t.minute - minute + week) % week; until > 0 {
				duration = min(duration, until)
			}
		}
	} else if until, ok := nextAction(actions, wall); ok {
		duration = until
	}
	s.note("%s lasts from its date until the next recurring action; where that level is higher, the higher one counts",
		o.name)
	return v1alpha1.PeakWindow{
		Name:     uniqueName(map[string]int{}, o.name+"-"+o.at.Format("20060102")),
		Start:    o.at.Format("2006-01-02T15:04"),
		Duration: v1alpha1.FormatDuration(time.Duration(duration) * time.Minute),
		Demand:   v1alpha1.PeakDemand{Replicas: &o.replicas},
	}
}

// noteSameMinute notes actions that are at the same time without their seconds.
func (s *source) noteSameMinute(actions []action) {
	first := map[string]action{}
	for _, a := range actions {
		if before, ok := first[a.cron]; ok && before.replicas != a.replicas {
			s.note("%s and %s are in the same minute, %q without the seconds: the larger size counts",
				before.name, a.name, a.cron)
		}
		first[a.cron] = a
	}
}

// noteLevels notes how levels differ from actions.
func (s *source) noteLevels(lowest int32) {
	s.note("each action at a point in time became a state that lasts until the next action: " +
		"a restart or a missed action no longer loses it")
	s.note("where the clock changes during a window, the window ends an hour before or after the next action did, " +
		"because durations are elapsed time")
	if lowest == 0 && s.names().Kind == hpaKind {
		s.note("minReplicas is 0: this needs a cluster where HPAs can scale to zero; elsewhere use a smallest size of 1")
	}
}

// scaled returns the workload itself. Where target is a HorizontalPodAutoscaler, that is its
// target, and its bounds live on in the conversion.
func (s *source) scaled(target workload, v *conversion) workload {
	for _, h := range s.c.hpas {
		scales := h.Spec.ScaleTargetRef
		follows := target.Kind == hpaKind && h.Metadata.Name == target.Name
		beside := target.Kind != hpaKind && scales.Kind == target.Kind && scales.Name == target.Name
		if h.Metadata.Namespace != s.meta.Namespace || !follows && !beside {
			continue
		}
		if most := int32(h.Spec.MaxReplicas); most > v.max {
			s.note("%s is %d, as in HorizontalPodAutoscaler %s", s.names().Max, most, h.Metadata.Name)
			v.max = most
		}
		if beside {
			continue // noteConflicts says what to do about it
		}
		s.note("it scaled through HorizontalPodAutoscaler %s, whose minReplicas it sets with every action: the new %s "+
			"has the same target and, as %s, the smallest size, %d", target.Name, s.names().Kind, s.names().Min, v.min)
		return scales
	}
	if target.Kind != hpaKind {
		return target
	}
	s.note("it scales through HorizontalPodAutoscaler %s, which is not among the files, so no Forecast is made. "+
		"Give that manifest too, or create a Forecast %s for its target; there, read it %s",
		target.Name, s.meta.Name, s.reading())
	return workload{}
}
