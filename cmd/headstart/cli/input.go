package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/prometheus"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
)

// inputFlags say where a history of demand comes from: a file or Prometheus.
type inputFlags struct {
	input      string
	series     string
	prometheus prometheus.Flags
	query      string
	history    promDuration
	step       promDuration

	// file holds the series of input if they were read before, and is nil if not. A pipe can be read
	// only once, and a file with thousands of series should be.
	file []inputSeries
}

func (f *inputFlags) register(flags *pflag.FlagSet) {
	f.history = promDuration(28 * 24 * time.Hour)
	flags.StringVar(&f.input, "input", "",
		"read demand from this CSV `FILE`, plain or .gz, with the header timestamp,value or series,timestamp,value; "+
			"an empty value is a gap")
	f.prometheus.Register(flags)
	flags.StringVar(&f.query, "query", "", "`PROMQL` that returns one series, the demand")
	flags.Var(&f.history, "history", "how much history to read from --prometheus")
	flags.Var(&f.step, "step", "time from one value to the next (default the step of the file, or 1m from Prometheus)")
	flags.Lookup("step").DefValue = "" // 0s stands for the default that the text names
}

// inputSeries is one series of demand, with the name of the file or the URL that it comes from.
type inputSeries struct {
	csvfile.NamedSeries
	source string
	// notes are what Prometheus says about the series; none from a file.
	notes history.Notes
}

// doubts returns why the series itself may be wrong.
func (s inputSeries) doubts() []string {
	var out []string
	if s.notes.Partial > 0 {
		why := ""
		if len(s.notes.Warnings) > 0 {
			why = fmt.Sprintf(" (Prometheus says: %s)", strings.Join(s.notes.Warnings, "; "))
		}
		out = append(out, fmt.Sprintf("%d of the %d steps read were answered in part only, so their demand may be too "+
			"low%s: read them again once all stores behind the source answer", s.notes.Partial, len(s.Series.Values), why))
	}
	if c := s.notes.Coarse; c != nil {
		out = append(out, fmt.Sprintf("a part of the history has a value every %s only, so that peaks within are not "+
			"seen: use --step %s", v1alpha1.FormatDuration(c.Every), v1alpha1.FormatDuration(c.Every)))
	}
	return out
}

// tell writes the notes of the series, for commands whose output has no place for them.
func (s inputSeries) tell(w io.Writer) {
	for _, note := range s.notes.List() {
		fmt.Fprintf(w, "note: %s\n", note)
	}
}

// read returns the series in the order of the input. If Prometheus stops answering half-way, read
// returns both the part before that and the error.
func (f *inputFlags) read(ctx context.Context, streams Streams, now time.Time) ([]inputSeries, error) {
	switch {
	case f.input != "" && f.prometheus.Given():
		return nil, errors.New("give --input or --prometheus, not both")
	case f.input != "":
		if f.query != "" {
			return nil, errors.New("--query needs --prometheus")
		}
		return f.readFile()
	case f.prometheus.Given():
		return f.readPrometheus(ctx, streams, now)
	}
	return nil, errors.New("no demand to read: give --input FILE, or --prometheus URL with --query")
}

func (f *inputFlags) readFile() ([]inputSeries, error) {
	if f.file != nil {
		return f.file, nil
	}
	all, err := csvfile.Open(f.input, csvfile.Options{Step: time.Duration(f.step)})
	if err != nil {
		return nil, err
	}
	out := make([]inputSeries, len(all))
	for i, s := range all {
		out[i] = inputSeries{NamedSeries: s, source: filepath.Base(f.input)}
	}
	return out, nil
}

func (f *inputFlags) readPrometheus(ctx context.Context, streams Streams, now time.Time) ([]inputSeries, error) {
	if f.query == "" {
		return nil, errors.New("--prometheus needs --query, PromQL that returns one series, " +
			"such as 'sum(rate(http_requests_total[2m]))'")
	}
	source, err := f.prometheus.Source()
	if err != nil {
		return nil, err
	}
	step := time.Duration(f.step)
	if step == 0 {
		step = time.Minute
	}
	bar := terminal.NewProgress(streams.Err, "reading history")
	defer bar.End()
	series, notes, err := source.Range(ctx, f.query, now.Add(-time.Duration(f.history)), now, step, bar.Show)
	if len(series.Values) == 0 {
		return nil, err
	}
	read := inputSeries{NamedSeries: csvfile.NamedSeries{Series: series}, source: f.prometheus.At, notes: notes}
	return []inputSeries{read}, err
}

// find looks for a Prometheus in the cluster where the flags name none, and says on standard error
// which one it is. Without one, it returns what to give.
func (f *inputFlags) find(ctx context.Context, streams Streams, cluster *clusterFlags) (howTo string) {
	namespace, err := cluster.config.namespace()
	if err != nil {
		namespace = "" // whoever reads the cluster says why
	}
	note := f.prometheus.Find(ctx, namespace)
	switch {
	case !f.prometheus.Given():
		return cmp.Or(note, "give "+prometheus.AnyOf)
	case note != "":
		fmt.Fprintf(streams.Err, "note: %s\n", note)
	}
	return ""
}

// stamp returns the timestamp of step i in the format of the input, or in RFC 3339 if the input has
// no format of its own.
func (s inputSeries) stamp(i int) string {
	if text := s.Timestamp(i); text != "" {
		return text
	}
	return s.Series.Start.Add(time.Duration(i) * s.Series.Step).UTC().Format(time.RFC3339)
}

// row names the row of step i: its line in the file, if it is from one, and its timestamp.
func (s inputSeries) row(i int) string {
	if line := s.Line(i); line > 0 {
		return fmt.Sprintf("line %d, %s", line, s.stamp(i))
	}
	return s.stamp(i)
}

// promDuration is a flag for a duration in Prometheus's notation, such as 90s, 5m or 28d.
type promDuration time.Duration

func (d *promDuration) String() string { return string(v1alpha1.FormatDuration(time.Duration(*d))) }

func (d *promDuration) Set(text string) error {
	parsed, err := v1alpha1.Duration(text).Parse()
	if _, notNumber := strconv.ParseFloat(text, 64); err != nil && notNumber == nil {
		return errors.New("a duration needs a unit, such as 90s, 5m or 28d; write 0s for none")
	}
	if err != nil {
		return err
	}
	*d = promDuration(parsed)
	return nil
}

func (d *promDuration) Type() string { return "duration" }

// timeLayouts are the forms in which a flag may give a time.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly,
}

// parseTime reads a time. One without an offset is on the wall clock of location.
func parseTime(text string, location *time.Location) (time.Time, bool) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, text, location); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// openInput opens a file, or standard input for "-".
func openInput(streams Streams, name string) (in io.Reader, closeInput func(), err error) {
	if name == "-" {
		return streams.In, func() {}, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { _ = file.Close() }, nil
}

// noArgs rejects arguments, and names the flag that was probably meant.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes only flags, such as --input %s",
			args[0], cmd.Name(), args[0])
	}
	return nil
}
