package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/cmd/headstart/cli/internal/ui/whatif"
	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
)

// inputFlags say where a history of demand comes from: a file or Prometheus.
type inputFlags struct {
	input          string
	series         string
	prometheus     string
	prometheusHTTP string
	query          string
	history        promDuration
	step           promDuration

	// through returns how to reach the cluster, where prometheus may name a Service in it; nil
	// where it may not.
	through func() (*rest.Config, error)

	// file holds the series of input if they were read before, and is nil if not. A pipe can be read
	// only once, and a file with thousands of series should be.
	file []inputSeries
}

func (f *inputFlags) register(flags *pflag.FlagSet) {
	f.history = promDuration(28 * 24 * time.Hour)
	flags.StringVar(&f.input, "input", "",
		"read demand from this CSV `FILE`, plain or .gz, with the header timestamp,value or series,timestamp,value; "+
			"an empty value is a gap")
	f.registerPrometheus(flags)
	flags.StringVar(&f.query, "query", "", "`PROMQL` that returns one series, the demand")
	flags.Var(&f.history, "history", "how much history to read from --prometheus")
	flags.Var(&f.step, "step", "time from one value to the next (default the step of the file, or 1m from Prometheus)")
	flags.Lookup("step").DefValue = "" // 0s stands for the default that the text names
}

// registerPrometheus registers the flags that say how to reach Prometheus.
func (f *inputFlags) registerPrometheus(flags *pflag.FlagSet) {
	flags.StringVar(&f.prometheus, "prometheus", "", "read demand from the Prometheus at this `URL`")
	flags.StringVar(&f.prometheusHTTP, "prometheus-http-config", "",
		"`FILE` with the HTTP client configuration for --prometheus, in Prometheus's own format: TLS, authentication, "+
			"headers")
}

// throughCluster lets --prometheus name a Service in the cluster too.
func (f *inputFlags) throughCluster(flags *pflag.FlagSet, cluster *clusterFlags) {
	f.through = cluster.restConfig
	flags.Lookup("prometheus").Usage = "read demand from the Prometheus at this `URL`, " +
		"or at NAMESPACE/SERVICE:PORT in the cluster"
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
	case f.input != "" && f.prometheus != "":
		return nil, errors.New("give --input or --prometheus, not both")
	case f.input != "":
		if f.query != "" {
			return nil, errors.New("--query needs --prometheus")
		}
		return f.readFile()
	case f.prometheus != "":
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
	source, err := f.source()
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
	err = ofFlags(err)
	if len(series.Values) == 0 {
		return nil, err
	}
	read := inputSeries{NamedSeries: csvfile.NamedSeries{Series: series}, source: f.prometheus, notes: notes}
	return []inputSeries{read}, err
}

// source returns the Prometheus that the flags name: a URL, or a Service in the cluster, which is
// reached through the API server.
func (f *inputFlags) source() (*history.Source, error) {
	options := history.SourceConfig{Name: "--prometheus", URL: f.prometheus}
	if f.prometheusHTTP != "" {
		loaded, _, err := config.LoadHTTPConfigFile(f.prometheusHTTP)
		if err != nil {
			return nil, fmt.Errorf("read --prometheus-http-config: %w", err)
		}
		loaded.SetDirectory(filepath.Dir(f.prometheusHTTP))
		options.HTTPClientConfig = loaded
	}
	if strings.Contains(f.prometheus, "://") {
		return history.NewSource(options)
	}
	switch {
	case f.through == nil:
		return nil, fmt.Errorf("--prometheus %q is not a URL: give for example http://localhost:9090", f.prometheus)
	case f.prometheusHTTP != "":
		return nil, errors.New("--prometheus-http-config is for a URL: the API server is reached as by kubectl")
	}
	cluster, err := f.through()
	if err != nil {
		return nil, err
	}
	if options.URL, options.Transport, err = whatif.ThroughAPIServer(f.prometheus, cluster); err != nil {
		return nil, err
	}
	return history.NewSource(options)
}

// anyPrometheus says what --prometheus takes where there is a cluster.
const anyPrometheus = "--prometheus with NAMESPACE/SERVICE:PORT, such as monitoring/prometheus:9090, " +
	"or with a URL that you can reach"

// ofFlags says an error of a source in the words of the command line, where a source has no name.
func ofFlags(err error) error {
	e, ok := errors.AsType[*history.Error](err)
	if !ok || e.Source == "" {
		return err
	}
	words := strings.NewReplacer("the source's httpClientConfig", "--prometheus-http-config",
		"httpClientConfig.", "--prometheus-http-config, ", "httpClientConfig", "--prometheus-http-config",
		"the source's url", "the URL of --prometheus", "Headstart reach it", "this machine reach it",
		", or raise the source's timeout", "")
	return &history.Error{Kind: e.Kind, Message: words.Replace(e.Message)}
}

// explain adds to the error of a URL how to reach a Prometheus that runs in a cluster.
func (f *inputFlags) explain(err error) error {
	err = ofFlags(err)
	switch kind := history.KindOf(err); {
	case f.through == nil || !strings.Contains(f.prometheus, "://"):
	case kind == history.ErrUnreachable, kind == history.ErrTimeout:
		return fmt.Errorf("%w; for a Prometheus inside the cluster give --prometheus NAMESPACE/SERVICE:PORT", err)
	}
	return err
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
