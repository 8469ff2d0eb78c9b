package learned

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/capacity"
	"headstart.dev/headstart/planner"
	"headstart.dev/headstart/planner/terms"
	"headstart.dev/headstart/report/learned"
	"headstart.dev/headstart/report/render"
	"headstart.dev/headstart/report/termchart"
)

// View is what is shown of one Forecast.
type View struct {
	Forecast *v1alpha1.Forecast
	Settings planner.Settings // with Learn
	// Track is a replay of the past; nil where no history was read.
	Track *learned.Track
	// Summary is that of Track, or what status has.
	Summary learned.Summary
	// Notes are shown below.
	Notes []string
}

// Layout says how a View is drawn.
type Layout struct {
	Width, Height int
	Colour        bool
	Location      *time.Location
}

// FromStatus returns what the status of a Forecast says.
func FromStatus(fc *v1alpha1.Forecast, set planner.Settings) View {
	configured, _ := set.Capacity()
	v := View{Forecast: fc, Settings: set, Summary: learned.Summary{
		Configured: configured, Used: set.CapacityIn(fc.Status.CapacityPerReplica), Source: capacity.SourceDefault,
		AtMost: set.Learn.AtMost, Attain: set.Learn.Attain,
	}}
	s := fc.Status.Capacity
	if s == nil {
		return v
	}
	out := &v.Summary
	out.Used, out.Source = s.Value.AsApproximateFloat64(), capacity.Source(s.Source)
	out.Estimate, out.Lower, out.Carried = figure(s.Estimate), figure(s.Lower), figure(s.Carried)
	out.AtLeast, out.Steps, out.Missed = s.AtLeast, float64(s.Steps), float64(s.Missed)
	if s.Since != nil {
		since := s.Since.UTC()
		out.Since = &since
	}
	return v
}

func figure(q *resource.Quantity) *float64 {
	if q == nil {
		return nil
	}
	return new(q.AsApproximateFloat64())
}

// Text draws the view in lines that fit the width.
func (v View) Text(w io.Writer, l Layout) error {
	lines := render.WrapTo(l.Width, "", v.title())
	if v.Track != nil {
		lines = append(lines, v.curve(l)...)
		lines = append(append(lines, ""), v.moves(l)...)
	}
	lines = append(lines, "")
	lines = append(lines, render.WrapTo(l.Width, "", v.Summary.Words())...)
	lines = append(lines, render.WrapTo(l.Width, "", v.evidence())...)
	if weights := weightsOf(v.Forecast); weights != "" {
		lines = append(lines, render.WrapTo(l.Width, "", render.Printable(weights))...)
	}
	if lacks := v.lacks(); lacks != "" {
		lines = append(lines, render.WrapTo(l.Width, "missing: ", lacks)...)
	}
	for _, n := range v.Notes {
		lines = append(lines, render.WrapTo(l.Width, "note: ", n)...)
	}
	_, err := fmt.Fprintln(w, strings.Join(lines, "\n"))
	return err
}

func (v View) title() string {
	unit := cmp.Or(v.Settings.Unit, "demand")
	return fmt.Sprintf("%s/%s: a replica is taken to serve %s (%s; %s)", v.Forecast.Namespace, v.Forecast.Name,
		learned.Figure(v.Summary.Used), v.Summary.Source, render.Printable(unit))
}

// curve draws latency against load per replica.
func (v View) curve(l Layout) []string {
	s := v.Summary
	attain := learned.Figure(100 * s.Attain)
	c := termchart.Curve{
		Title: "Latency by load per ready replica", XName: "load per ready replica, in the unit of the demand",
		LowName: "half of the steps", HighName: attain + " % of the steps",
		Limit: s.AtMost, LimitName: "objective: at most " + learned.Figure(s.AtMost),
		Width: l.Width, Height: l.Height, Colour: l.Colour,
	}
	for _, p := range s.Curve {
		c.Points = append(c.Points, termchart.CurvePoint{X: p.Load, Low: p.Median, High: p.Quantile})
	}
	name := "estimate "
	if s.AtLeast {
		name = "at least "
	}
	mark := func(at float64, sign rune, name string) {
		c.Marks = append(c.Marks, termchart.CurveMark{At: at, Sign: sign, Name: name + learned.Figure(at)})
	}
	if s.Lower != nil && (s.Estimate == nil || *s.Lower < *s.Estimate) {
		mark(*s.Lower, '╎', "lower bound ")
	}
	if s.Estimate != nil {
		mark(*s.Estimate, '┃', name)
	}
	return c.Lines()
}

// moves draws the capacity in use over time.
func (v View) moves(l Layout) []string {
	start, step, inUse := v.Track.Start, v.Track.Step, v.Track.InUse
	c := termchart.Chart{
		Title: "The capacity in use", Start: start, End: start.Add(time.Duration(len(inUse)) * step),
		Location: l.Location, Width: l.Width, Height: 6, Colour: l.Colour,
		Line: termchart.SeriesOf("capacity of a replica", start, step, inUse),
	}
	return c.Lines()
}

// evidence says what the estimate rests on.
func (v View) evidence() string {
	s := v.Summary
	text := fmt.Sprintf("%.0f steps taught, of which %.0f missed the objective of at most %s", math.Floor(s.Steps),
		math.Floor(s.Missed), learned.Figure(s.AtMost))
	if s.Since != nil {
		text += " (since " + s.Since.Format("2006-01-02 15:04Z") + "; older steps count less)"
	}
	return text + "."
}

// lacks says what is missing, from the replay or else from the condition.
func (v View) lacks() string {
	if text := v.Summary.Lacks(); v.Track != nil {
		return text
	}
	c := meta.FindStatusCondition(v.Forecast.Status.Conditions, v1alpha1.ConditionCapacityKnown)
	switch {
	case c == nil:
		return "the server has not written anything about the capacity yet"
	case c.Status == "True":
		return ""
	}
	return render.Printable(c.Reason + ": " + c.Message)
}

// Output is a View for programs.
type Output struct {
	Namespace string                    `json:"namespace"`
	Name      string                    `json:"name"`
	Status    *v1alpha1.LearnedCapacity `json:"status,omitempty"`
	// Weights are the learned weights of the terms of demand.
	Weights *v1alpha1.DemandWeights `json:"weights,omitempty"`
	// Replay is what was learned from the history that was read.
	Replay *learned.Summary `json:"replay,omitempty"`
	Notes  []string         `json:"notes,omitempty"`
}

// Output returns the view for programs.
func (v View) Output() Output {
	out := Output{
		Namespace: v.Forecast.Namespace, Name: v.Forecast.Name, Status: v.Forecast.Status.Capacity, Notes: v.Notes,
		Weights: terms.Kept(v.Forecast),
	}
	if v.Track != nil {
		out.Replay = &v.Summary
	}
	return out
}

// CheckOutput refuses a value of --output that is unknown.
func CheckOutput(output string) error {
	if output != "text" && output != "json" && output != "yaml" {
		return fmt.Errorf("--output %q is unknown: use text, json or yaml", output)
	}
	return nil
}

// Encode writes a value as JSON or YAML.
func Encode(w io.Writer, output string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err == nil && output == "yaml" {
		text, err = yaml.JSONToYAML(text)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(w, strings.TrimRight(string(text), "\n"))
	return err
}
