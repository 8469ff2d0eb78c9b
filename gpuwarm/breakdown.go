package gpuwarm

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"text/tabwriter"
	"time"

	"headstart.dev/headstart/gpuwarm/survival"
)

// Breakdown shows where the time of a service's starts goes, and what warming would save. Render
// writes it for a terminal.
type Breakdown struct {
	// Name of the Forecast, as "namespace/name".
	Name string
	// Percentile of the warm-ups that the lead covers.
	Percentile float64
	// Paths in the order Warm, ColdImage, ColdNode, unknown; only those with a start.
	Paths []PathBreakdown
	// Ongoing starts, longest first.
	Ongoing []OngoingStart
	// Lead is the current lead.
	Lead Lead
}

// PathBreakdown is the part of a [Breakdown] for one path.
type PathBreakdown struct {
	Path Path
	// Starts that became Ready on this path.
	Starts int
	// Median and Quantile (at the Breakdown's percentile) of the time from creation to Ready.
	Median, Quantile time.Duration
	// Phases has the median of each phase, over the starts in which its length is known.
	Phases map[Phase]time.Duration
}

// OngoingStart is a start that is not Ready yet.
type OngoingStart struct {
	// Pod is the name of the pod.
	Pod string
	// For is how long it has lasted.
	For time.Duration
	// Phase that it is in.
	Phase Phase
	// Reason why it cannot become Ready, such as CrashLoopBackOff; empty otherwise.
	Reason string
}

// NewBreakdown summarises the starts of a service, as [Collector.Collect] returns them, at now. As
// for the lead, a start counts only when its Ready time is credible: no container was restarted,
// and the warm-up is not longer than LearnerOptions.Max.
func NewBreakdown(name string, starts []Start, opts LearnerOptions, lead Lead, now time.Time) Breakdown {
	opts = opts.withDefaults()
	b := Breakdown{Name: name, Percentile: opts.Percentile, Lead: lead}
	byPath := map[Path][]Start{}
	for _, s := range starts {
		switch took := s.Ready.Sub(s.Created); {
		case !s.Ready.IsZero() && s.Restarts == 0 && took <= opts.Max:
			byPath[s.Path] = append(byPath[s.Path], s)
		case s.Ready.IsZero() && s.Unready.IsZero() && s.Ended.IsZero():
			b.Ongoing = append(b.Ongoing, OngoingStart{
				Pod: s.Name, For: max(0, now.Sub(s.Created)), Phase: s.currentPhase(), Reason: s.Failure,
			})
		}
	}
	sort.SliceStable(b.Ongoing, func(i, j int) bool {
		x, y := b.Ongoing[i], b.Ongoing[j]
		return x.For > y.For || (x.For == y.For && x.Pod < y.Pod)
	})
	for _, p := range []Path{PathWarm, PathColdImage, PathColdNode, PathUnknown} {
		if len(byPath[p]) > 0 {
			b.Paths = append(b.Paths, breakdownOf(p, byPath[p], opts.Percentile/100))
		}
	}
	return b
}

// currentPhase is the phase that an ongoing start is in.
func (s Start) currentPhase() Phase {
	switch {
	case s.Scheduled.IsZero():
		return PhaseSchedule
	case s.Initialized.IsZero():
		return PhaseInit
	case s.Started.IsZero() && s.Restarts == 0:
		return PhaseImage
	}
	return PhaseLoad
}

func breakdownOf(p Path, starts []Start, q float64) PathBreakdown {
	out := PathBreakdown{Path: p, Starts: len(starts), Phases: map[Phase]time.Duration{}}
	var totals []float64
	phases := map[Phase][]float64{}
	for _, s := range starts {
		totals = append(totals, s.Ready.Sub(s.Created).Seconds())
		for phase, d := range s.Durations() {
			phases[phase] = append(phases[phase], d.Seconds())
		}
	}
	for phase, x := range phases {
		out.Phases[phase] = secondsOf(survival.Median(x))
	}
	out.Median = secondsOf(survival.Median(totals))
	sort.Float64s(totals)
	rank := int(math.Ceil(q * float64(len(totals))))
	out.Quantile = secondsOf(totals[max(rank, 1)-1])
	return out
}

func secondsOf(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// Render writes the breakdown for a terminal.
func (b Breakdown) Render(w io.Writer) error {
	var out strings.Builder
	starts := "starts"
	if b.Lead.Starts == 1 {
		starts = "start"
	}
	fmt.Fprintf(&out, "%s: a new replica is Ready after %s (p%g, %s, %d %s)\n", b.Name,
		shortDuration(b.Lead.WarmUp), b.Percentile, strings.ToLower(string(b.Lead.Source)), b.Lead.Starts, starts)
	if b.Lead.Failing {
		fmt.Fprintf(&out, "! %s\n", b.Lead.FailingMessage())
	}
	if len(b.Paths) == 0 {
		out.WriteString("\nNo start of an existing pod can be read. Scale the target up by one, and look again.\n")
	} else {
		b.writeTable(&out)
		b.writeSavings(&out)
	}
	b.writeOngoing(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

// writeTable writes the medians by path and phase.
func (b Breakdown) writeTable(out *strings.Builder) {
	out.WriteString("\nWhere the time goes (medians of the existing pods):\n")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "PATH\tSTARTS\t")
	for _, p := range Phases() {
		fmt.Fprint(t, strings.ToUpper(string(p)), "\t")
	}
	fmt.Fprintf(t, "MEDIAN\tP%g\t\n", b.Percentile)
	for _, p := range b.Paths {
		fmt.Fprintf(t, "%s\t%d\t", nameOf(p.Path), p.Starts)
		for _, phase := range Phases() {
			cell := "-"
			if d, ok := p.Phases[phase]; ok {
				cell = shortDuration(d)
			}
			fmt.Fprint(t, cell, "\t")
		}
		fmt.Fprintf(t, "%s\t%s\t\n", shortDuration(p.Median), shortDuration(p.Quantile))
	}
	_ = t.Flush() // writing to a strings.Builder never fails
}

// writeSavings writes what each kind of warming would save: the difference between the medians of
// two paths, or the phase that it would shorten.
func (b Breakdown) writeSavings(out *strings.Builder) {
	at := map[Path]PathBreakdown{}
	for _, p := range b.Paths {
		at[p.Path] = p
	}
	var lines []string
	add := func(what string, cold Path, known bool, saved time.Duration) {
		if !known || saved <= 0 {
			return
		}
		share := 100 * saved.Seconds() / at[cold].Median.Seconds()
		lines = append(lines, fmt.Sprintf("  %s would save %s (%.0f %% of a %s start)",
			what, shortDuration(saved), share, nameOf(cold)))
	}
	node, hasNode := at[PathColdNode]
	image, hasImage := at[PathColdImage]
	warm, hasWarm := at[PathWarm]
	add("a node held ready", PathColdNode, hasNode, node.Phases[PhaseSchedule])
	switch {
	case hasImage && hasWarm:
		add("the image on the node", PathColdImage, true, image.Median-warm.Median)
	default:
		add("the image on the node", PathColdImage, hasImage, image.Phases[PhaseImage])
	}
	if !hasImage {
		add("the image on the node", PathColdNode, hasNode, node.Phases[PhaseImage])
	}
	for _, p := range b.Paths {
		if load := p.Phases[PhaseLoad]; p.Median > 0 && 2*load >= p.Median {
			lines = append(lines, fmt.Sprintf("  weights near the node: loading is %.0f %% of a %s start (%s)",
				100*load.Seconds()/p.Median.Seconds(), nameOf(p.Path), shortDuration(load)))
			break
		}
	}
	if len(lines) > 0 {
		out.WriteString("\nWhat warming would save:\n" + strings.Join(lines, "\n") + "\n")
	}
}

// writeOngoing writes the longest of the ongoing starts.
func (b Breakdown) writeOngoing(out *strings.Builder) {
	if len(b.Ongoing) == 0 {
		return
	}
	const shown = 10
	out.WriteString("\nOngoing:\n")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, o := range b.Ongoing[:min(shown, len(b.Ongoing))] {
		why := ""
		if o.Reason != "" {
			why = " (" + o.Reason + ")"
		}
		fmt.Fprintf(t, "  %s\tfor %s\tin %s%s\n", o.Pod, shortDuration(o.For), o.Phase, why)
	}
	_ = t.Flush()
	if more := len(b.Ongoing) - shown; more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
}

func nameOf(p Path) string {
	switch p {
	case PathWarm:
		return "warm"
	case PathColdImage:
		return "cold image"
	case PathColdNode:
		return "cold node"
	}
	return "unknown"
}

// shortDuration formats a duration briefly: 45s, 2m30s, 1h5m.
func shortDuration(d time.Duration) string {
	d = d.Round(time.Second)
	if d >= time.Hour {
		d = d.Round(time.Minute)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
