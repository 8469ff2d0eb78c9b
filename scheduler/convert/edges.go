package convert

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/scheduler/manifest"
)

func workloadFields() shape { return fields("apiVersion", "kind", "name") }

var errNoTarget = errors.New("it does not say what it scales: complete the manifest")

// job is one timed action of cronhpa and of TKE's autoscalers, which share their semantics.
type job struct {
	Name           string   `json:"name"`
	Schedule       string   `json:"schedule"`
	TargetSize     *int32   `json:"targetSize"`
	TargetReplicas *int32   `json:"targetReplicas"`
	RunOnce        bool     `json:"runOnce"`
	ExcludeDates   []string `json:"excludeDates"`
}

// cronhpa and its relatives follow the clock of their own process.
const defaultEdgeZone = "Asia/Shanghai"

func fromCronHPA(s *source) error {
	var in struct {
		Spec struct {
			ScaleTargetRef target   `json:"scaleTargetRef"`
			Jobs           []job    `json:"jobs"`
			ExcludeDates   []string `json:"excludeDates"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	s.leftovers(fields("excludeDates").with("scaleTargetRef", workloadFields()).
		with("jobs", fields("name", "schedule", "targetSize", "runOnce")))
	return s.fromJobs(in.Spec.ScaleTargetRef, in.Spec.Jobs, in.Spec.ExcludeDates, true)
}

func fromTKE(s *source) error {
	var in struct {
		Spec struct {
			ScaleTarget target `json:"scaleTarget"`
			Crons       []job  `json:"crons"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	s.leftovers(shape{}.with("scaleTarget", workloadFields().with("namespace", nil)).
		with("crons", fields("name", "schedule", "targetSize", "excludeDates")))
	var exclude []string
	for i, c := range in.Spec.Crons {
		if i > 0 && !slices.Equal(c.ExcludeDates, in.Spec.Crons[0].ExcludeDates) {
			s.note("its crons exclude different dates, and a PeakSchedule has one set of exceptions: all of them are excepted for all windows")
		}
		exclude = append(exclude, c.ExcludeDates...)
	}
	slices.Sort(exclude)
	return s.fromJobs(in.Spec.ScaleTarget, in.Spec.Crons, slices.Compact(exclude), true)
}

func fromTKEStack(s *source) error {
	var in struct {
		Spec struct {
			ScaleTargetRef target `json:"scaleTargetRef"`
			Crons          []job  `json:"crons"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(s.raw, &in); err != nil {
		return fmt.Errorf("cannot read it: %w", manifest.Readable(err))
	}
	s.leftovers(shape{}.with("scaleTargetRef", workloadFields()).
		with("crons", fields("name", "schedule", "targetReplicas")))
	return s.fromJobs(in.Spec.ScaleTargetRef, in.Spec.Crons, nil, false)
}

// fromJobs converts actions: each state lasts until the next action, and the smallest is what the HPA never goes below.
func (s *source) fromJobs(to target, jobs []job, exclude []string, seconds bool) error {
	if to.Name == "" {
		return errNoTarget
	}
	zone := s.c.options.TimeZone
	if zone == "" {
		zone = defaultEdgeZone
		s.note("it follows the clock of the process that it runs in; %s is assumed: name another with --time-zone", zone)
	}
	location, err := v1alpha1.TimeZone(zone).Location()
	if err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	edges, once := s.actions(jobs, location, seconds)
	if len(edges) == 0 {
		return fmt.Errorf("none of its %d jobs recurs and can be carried over: declare one-off windows with start and duration by hand", len(jobs))
	}
	except, skip := s.exceptions(exclude, weekly(edges))
	stretches, dates, err := levels(edges, skip)
	if err != nil {
		return err
	}
	byValue := func(a, b stretch) int { return cmp.Compare(a.value, b.value) }
	base, most := slices.MinFunc(stretches, byValue).value, slices.MaxFunc(stretches, byValue).value
	group := peaks{name: s.meta.Name, timeZone: zone, windows: windowsAbove(stretches, base, dates)}
	group.except = except
	for _, o := range once {
		most = max(most, o.value)
		group.windows = append(group.windows, s.oneOff(o, stretches, dates, location))
	}
	if len(edges) > 1 {
		s.noteSameMinute(edges)
	}
	if len(group.windows) == 0 {
		s.note("it always wants %d replicas, so there is no window: minReplicas says it", base)
	}
	s.noteEdges(dates, base)
	s.whatToStop = "delete it"
	return s.emit(plan{name: s.meta.Name, target: s.workload(to), min: base, max: most, capacity: "1", peaks: []peaks{group}})
}

// actions reads the jobs that recur, and those that happen once. What can be neither is noted.
func (s *source) actions(jobs []job, location *time.Location, seconds bool) (edges []edge, once []onceAt) {
	for _, j := range jobs {
		size := j.TargetSize
		if size == nil {
			size = j.TargetReplicas
		}
		if size == nil {
			s.note("%s is not carried over, for it has no target size: a range of replicas is the HorizontalPodAutoscaler's minReplicas and maxReplicas", j.Name)
			continue
		}
		if text, ok := strings.CutPrefix(j.Schedule, "@date "); ok {
			at, err := time.ParseInLocation(time.DateTime, strings.TrimSpace(text), location)
			if err != nil {
				s.note("%s is not carried over: %q is not a date and time", j.Name, j.Schedule)
				continue
			}
			once = append(once, onceAt{j.Name, at, *size})
			continue
		}
		cron, err := s.fiveFields(j, seconds)
		if err != nil {
			s.note("%s is not carried over: %v", j.Name, err)
			continue
		}
		if j.RunOnce {
			s.note("%s ran once and now recurs, for its schedule does not say in which year: give it a start instead", j.Name)
		}
		edges = append(edges, edge{j.Name, cron, *size})
	}
	return edges, once
}

// fiveFields takes the seconds off a schedule.
func (s *source) fiveFields(j job, seconds bool) (string, error) {
	macros := map[string]string{
		"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
		"@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
	}
	if cron, ok := macros[j.Schedule]; ok {
		return cron, nil
	}
	if strings.HasPrefix(j.Schedule, "@") {
		return "", fmt.Errorf("%q has no place in the calendar", j.Schedule)
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

func weekly(edges []edge) bool {
	return !slices.ContainsFunc(edges, func(e edge) bool {
		f := strings.Fields(e.cron)
		return len(f) == 5 && (!anything(f[2]) || !anything(f[3]))
	})
}

// exceptions reads six-field crons that name days: one day of one month becomes a day of a Calendar, weekdays are returned as
// such where everything recurs weekly.
func (s *source) exceptions(exclude []string, weekly bool) ([]v1alpha1.CalendarDay, map[int]bool) {
	var days []v1alpha1.CalendarDay
	skip := map[int]bool{}
	for _, text := range exclude {
		f := strings.Fields(text)
		if len(f) != 6 {
			s.note("excludeDates %q is not carried over, for it has not six fields", text)
			continue
		}
		dom, domErr := strconv.Atoi(f[3])
		month, monthErr := strconv.Atoi(f[4])
		weekdays, weekdaysErr := timesOf("0 0 * * "+f[5], week)
		switch {
		case domErr == nil && monthErr == nil && anything(f[5]):
			d := int32(dom)
			days = append(days, v1alpha1.CalendarDay{Name: "except", Yearly: &v1alpha1.YearlyRule{Month: int32(month), Day: &d}})
		case weekly && anything(f[3]) && anything(f[4]) && weekdaysErr == nil:
			for _, at := range weekdays {
				skip[weekdayOf(at)] = true
			}
		default:
			s.note("excludeDates %q is not carried over, for it names neither one day of one month nor weekdays alone: name the days in spec.except", text)
		}
	}
	if len(days) > 0 {
		s.note("on an excepted day no window starts; a window that began the day before lasts until its end")
	}
	if len(exclude) > 0 {
		s.note("excludeDates are read as the dates that they say; cronhpa compares month and hour, and so skips other actions than those")
	}
	return days, skip
}

// onceAt is an action at one date.
type onceAt struct {
	name  string
	at    time.Time
	value int32
}

// oneOff lasts until the next recurring action.
func (s *source) oneOff(o onceAt, stretches []stretch, dates string, location *time.Location) v1alpha1.PeakWindow {
	length, begin := week, (int(o.at.In(location).Weekday())+6)%7*day
	if dates != "" {
		length, begin = day, 0
	}
	minute := begin + o.at.Hour()*60 + o.at.Minute()
	wait := length
	for _, x := range stretches {
		if until := (x.start - minute + length) % length; until > 0 {
			wait = min(wait, until)
		}
	}
	s.note("%s holds from its date until the next recurring action; where that state is larger, the larger holds", o.name)
	return v1alpha1.PeakWindow{
		Name: unique(map[string]int{}, o.name+"-"+o.at.Format("20060102")), Start: o.at.Format("2006-01-02T15:04"),
		Duration: v1alpha1.FormatDuration(time.Duration(wait) * time.Minute), Demand: v1alpha1.PeakDemand{Replicas: &o.value},
	}
}

// noteSameMinute says where actions fall together once their seconds are gone.
func (s *source) noteSameMinute(edges []edge) {
	first := map[string]edge{}
	for _, e := range edges {
		if before, ok := first[e.cron]; ok && before.value != e.value {
			s.note("%s and %s act within the same minute, %q without its seconds: the larger size holds", before.name, e.name, e.cron)
		}
		first[e.cron] = e
	}
}

func (s *source) noteEdges(dates string, base int32) {
	s.note("its actions at a point in time became states that last from one action to the next, and a restart or a missed action no longer loses one")
	if dates != "" {
		s.note("after the last action on a day of %q the smallest state, %d, holds until the next such day", dates, base)
	}
	s.note("where a clock change falls into a window, it ends an hour earlier or later than the next action did, for durations are elapsed time")
	if base == 0 {
		s.note("minReplicas is 0: this needs a cluster in which HPAs scale to zero, and a smallest size of 1 elsewhere")
	}
}

// workload follows a target that is itself a HorizontalPodAutoscaler.
func (s *source) workload(to target) target {
	if to.Kind != "HorizontalPodAutoscaler" {
		return to
	}
	for _, h := range s.c.hpas {
		if h.Metadata.Name == to.Name && h.Metadata.Namespace == s.meta.Namespace {
			s.note("it scaled through HorizontalPodAutoscaler %s, of which it never restored maxReplicas: the new one takes over its target", to.Name)
			return h.Spec.ScaleTargetRef
		}
	}
	s.note("it scales through HorizontalPodAutoscaler %s, which is not among the files: no Forecast is made. Give that manifest too, "+
		"or create a Forecast %s for its target, and read it there as an External metric with an averageValue of capacityPerReplica", to.Name, s.meta.Name)
	return target{}
}
