package gpuwarm

import (
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"text/tabwriter"
	"time"
)

// Breakdown says where the minutes of a service's starts go, and what warming would save.
type Breakdown struct {
	// Name of the Forecast, as "namespace/name".
	Name string
	// Percentile that the lead covers.
	Percentile float64
	// Paths in the order Warm, ColdImage, ColdNode, unknown; those without a start are not in it.
	Paths []PathBreakdown
	// Ongoing starts, longest first.
	Ongoing []OngoingStart
	// Lead as it is now.
	Lead Lead
}

// PathBreakdown is the part of a [Breakdown] that is about one path.
type PathBreakdown struct {
	Path Path
	// Starts that became Ready on this path.
	Starts int
	// Median and Quantile (at the Breakdown's percentile) of created to Ready.
	Median, Quantile time.Duration
	// Phases are the medians of the phases, of the starts whose phases are known.
	Phases map[Phase]time.Duration
}

// OngoingStart is a start that has not come to Ready yet.
type OngoingStart struct {
	Pod    string
	For    time.Duration
	Phase  Phase
	Reason string
}

// NewBreakdown puts the starts of a service together, as [Collect] reads them, at now. Only starts whose Ready time can be believed count, by
// the same rule as for the lead: not restarted, and no longer than the longest warm-up that is believed.
func NewBreakdown(name string, starts []Start, opts LearnerOptions, lead Lead, now time.Time) Breakdown {
	opts = opts.withDefaults()
	b := Breakdown{Name: name, Percentile: opts.Percentile, Lead: lead}
	byPath := map[Path][]Start{}
	for _, s := range starts {
		switch took := s.Ready.Sub(s.Created); {
		case !s.Ready.IsZero() && s.Restarts == 0 && took <= opts.Max:
			byPath[s.Path] = append(byPath[s.Path], s)
		case s.Ready.IsZero() && s.Unready.IsZero() && s.Ended.IsZero():
			b.Ongoing = append(b.Ongoing, OngoingStart{Pod: s.Name, For: max(0, now.Sub(s.Created)), Phase: s.phase(), Reason: s.Failure})
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

// phase that the start is in.
func (s Start) phase() Phase {
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
		out.Phases[phase] = secondsOf(median(x))
	}
	out.Median = secondsOf(median(totals))
	sort.Float64s(totals)
	rank := int(math.Ceil(q * float64(len(totals))))
	out.Quantile = secondsOf(totals[max(rank, 1)-1])
	return out
}

func secondsOf(x float64) time.Duration { return time.Duration(x * float64(time.Second)) }

// Render writes the breakdown for a terminal.
func (b Breakdown) Render(w io.Writer) error {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: a new replica takes %s to become Ready (p%g, %s, %d starts)\n", b.Name, short(b.Lead.WarmUp), b.Percentile,
		strings.ToLower(string(b.Lead.Source)), b.Lead.Starts)
	if b.Lead.Failing {
		fmt.Fprintf(&out, "! %s\n", b.Lead.FailingMessage())
	}
	if len(b.Paths) == 0 {
		out.WriteString("\nNo start of a pod that is there now can be read. Scale the target up by one, and look again.\n")
	} else {
		b.table(&out)
		b.savings(&out)
	}
	b.ongoing(&out)
	_, err := io.WriteString(w, out.String())
	return err
}

func (b Breakdown) table(out *strings.Builder) {
	out.WriteString("\nWhere the time goes (medians of the pods that are there now):\n")
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
				cell = short(d)
			}
			fmt.Fprint(t, cell, "\t")
		}
		fmt.Fprintf(t, "%s\t%s\t\n", short(p.Median), short(p.Quantile))
	}
	_ = t.Flush() // a strings.Builder takes everything
}

// savings is what a warmer would save: the difference between the medians of neighbouring paths.
func (b Breakdown) savings(out *strings.Builder) {
	at := map[Path]PathBreakdown{}
	for _, p := range b.Paths {
		at[p.Path] = p
	}
	var lines []string
	add := func(what string, cold Path, seen bool, saved time.Duration) {
		if !seen || saved <= 0 {
			return
		}
		share := 100 * saved.Seconds() / at[cold].Median.Seconds()
		lines = append(lines, fmt.Sprintf("  %s would save %s (%.0f %% of a %s start)", what, short(saved), share, nameOf(cold)))
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
			lines = append(lines, fmt.Sprintf("  weights near the node: loading is %.0f %% of a %s start (%s)", 100*load.Seconds()/p.Median.Seconds(),
				nameOf(p.Path), short(load)))
			break
		}
	}
	if len(lines) > 0 {
		out.WriteString("\nWhat warming would save:\n" + strings.Join(lines, "\n") + "\n")
	}
}

func (b Breakdown) ongoing(out *strings.Builder) {
	if len(b.Ongoing) == 0 {
		return
	}
	const most = 10
	out.WriteString("\nGoing on:\n")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, o := range b.Ongoing[:min(most, len(b.Ongoing))] {
		why := ""
		if o.Reason != "" {
			why = " (" + o.Reason + ")"
		}
		fmt.Fprintf(t, "  %s\tfor %s\tin %s%s\n", o.Pod, short(o.For), o.Phase, why)
	}
	_ = t.Flush()
	if more := len(b.Ongoing) - most; more > 0 {
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

// short is a duration as people say it: 45s, 2m30s, 1h5m.
func short(d time.Duration) string {
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
