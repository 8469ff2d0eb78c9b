package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/common/config"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/history"
)

// inputFlags say where a demand series comes from: a file, or a Prometheus.
type inputFlags struct {
	input          string
	series         string
	prometheus     string
	prometheusHTTP string
	query          string
	history        promDuration
	step           promDuration
}

func (f *inputFlags) register(flags *pflag.FlagSet) {
	f.history = promDuration(28 * 24 * time.Hour)
	flags.StringVar(&f.input, "input", "", "CSV file, plain or gzipped, with the header timestamp,value or series,timestamp,value; an empty value is a gap")
	f.registerPrometheus(flags)
	flags.StringVar(&f.query, "query", "", "PromQL that yields one series, the demand")
	flags.Var(&f.history, "history", "how much to read from --prometheus")
	flags.Var(&f.step, "step", "resolution of the series (a file's own, or 1m from Prometheus, unless given)")
}

// registerPrometheus registers what names a Prometheus, and says how to ask it.
func (f *inputFlags) registerPrometheus(flags *pflag.FlagSet) {
	flags.StringVar(&f.prometheus, "prometheus", "", "URL of a Prometheus to read demand from")
	flags.StringVar(&f.prometheusHTTP, "prometheus-http-config", "", "file with Prometheus's HTTP client configuration (TLS, authentication, headers) for --prometheus")
}

// named is a series and where its timestamps come from.
type named struct {
	history.NamedSeries
	source string
}

// read returns the series, in the order of the input. Where a Prometheus stops answering half-way it returns what came before, and the
// error.
func (f *inputFlags) read(ctx context.Context, streams Streams, now time.Time) ([]named, error) {
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

func (f *inputFlags) readFile() ([]named, error) {
	all, err := history.OpenCSV(f.input, history.CSVOptions{Step: time.Duration(f.step)})
	if err != nil {
		return nil, err
	}
	out := make([]named, len(all))
	for i, s := range all {
		out[i] = named{NamedSeries: s, source: filepath.Base(f.input)}
	}
	return out, nil
}

func (f *inputFlags) readPrometheus(ctx context.Context, streams Streams, now time.Time) ([]named, error) {
	if f.query == "" {
		return nil, errors.New("--prometheus needs --query: PromQL that yields one series, such as 'sum(rate(http_requests_total[2m]))'")
	}
	source := history.SourceConfig{URL: f.prometheus}
	if f.prometheusHTTP != "" {
		loaded, _, err := config.LoadHTTPConfigFile(f.prometheusHTTP)
		if err != nil {
			return nil, fmt.Errorf("read --prometheus-http-config: %w", err)
		}
		loaded.SetDirectory(filepath.Dir(f.prometheusHTTP))
		source.HTTPClientConfig = loaded
	}
	opened, err := history.NewSource(source)
	if err != nil {
		return nil, err
	}
	step := time.Duration(f.step)
	if step == 0 {
		step = time.Minute
	}
	bar := newProgress(streams.Err, "reading history")
	defer bar.end()
	series, err := opened.Range(ctx, f.query, now.Add(-time.Duration(f.history)), now, step, bar.show)
	if len(series.Values) == 0 {
		return nil, err
	}
	return []named{{NamedSeries: history.NamedSeries{Series: series}, source: f.prometheus}}, err // what was read before the error
}

// stamp is the timestamp of step i as the input writes it; RFC 3339 for a series that has no words of its own.
func (n named) stamp(i int) string {
	if s := n.Timestamp(i); s != "" {
		return s
	}
	return n.Series.Start.Add(time.Duration(i) * n.Series.Step).UTC().Format(time.RFC3339)
}

// promDuration is a flag that takes 90s, 5m, 28d.
type promDuration time.Duration

func (d *promDuration) String() string { return string(v1alpha1.FormatDuration(time.Duration(*d))) }

func (d *promDuration) Set(text string) error {
	parsed, err := v1alpha1.Duration(text).Parse()
	if _, noNumber := strconv.ParseFloat(text, 64); err != nil && noNumber == nil {
		return errors.New("a duration needs a unit, such as 90s, 5m or 28d, and 0s for none")
	}
	if err != nil {
		return err
	}
	*d = promDuration(parsed)
	return nil
}

func (d *promDuration) Type() string { return "duration" }

// How long a job takes before a pipe or a file hears of its progress, and how often.
const (
	firstWord = 30 * time.Second
	nextWord  = 30 * time.Second
)

// progress is one line on a terminal that is rewritten; elsewhere it is a line now and then, and none for what is soon done.
type progress struct {
	w    io.Writer
	what string
	tty  bool
	now  func() time.Time

	mu    sync.Mutex // several replays tell of one progress
	due   time.Time  // of the next line
	wrote bool
}

func newProgress(w io.Writer, what string) *progress {
	return progressAt(w, what, isTerminal(w), time.Now)
}

func progressAt(w io.Writer, what string, tty bool, now func() time.Time) *progress {
	p := &progress{w: w, what: what, tty: tty, now: now}
	if !tty {
		p.due = now().Add(firstWord)
	}
	return p
}

func (p *progress) show(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if total <= 0 || now.Before(p.due) {
		return
	}
	if !p.tty {
		p.due = now.Add(nextWord)
		fmt.Fprintf(p.w, "%s: %d %%\n", p.what, 100*done/total)
		return
	}
	p.due, p.wrote = now.Add(100*time.Millisecond), true
	fmt.Fprintf(p.w, "\r\x1b[K%s: %d %%", p.what, 100*done/total)
}

// end clears the line.
func (p *progress) end() {
	if p.wrote {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// noArgs refuses arguments in words that name the likely mistake.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: %s takes flags only, such as --input %s", args[0], cmd.Name(), args[0])
	}
	return nil
}
