package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/manystep"
)

// maxForecastSteps bounds what one series may ask for.
const maxForecastSteps = 1_000_000

// forecastOptions are the flags of forecast, one to one.
type forecastOptions struct {
	in        inputFlags
	horizon   promDuration
	quantiles string
	timeZone  string
	output    string
}

func newForecastCommand(streams Streams) *cobra.Command {
	o := forecastOptions{horizon: promDuration(24 * time.Hour)}
	cmd := &cobra.Command{
		Use:   "forecast",
		Short: "Forecast demand from a file or a Prometheus, as quantiles step by step",
		Long: `Forecast reads a demand series and writes quantiles of what is to come: one row a step, the first one step after the input's last.
A file with a series column is forecast series by series.`,
		Example: `  headstart forecast --input demand.csv --horizon 48h --quantiles 0.025,0.5,0.975
  headstart forecast --prometheus http://localhost:9090 --query 'sum(rate(http_requests_total[2m]))' --history 28d -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), streams, time.Now()) },
	}
	flags := cmd.Flags()
	o.in.register(flags)
	flags.Var(&o.horizon, "horizon", "how far to forecast")
	flags.StringVar(&o.quantiles, "quantiles", "0.025,0.5,0.975", "quantiles to write, between 0 and 1, separated by commas")
	flags.StringVar(&o.timeZone, "time-zone", "UTC", "IANA zone whose wall clock the daily cycle follows")
	flags.StringVarP(&o.output, "output", "o", "csv", "csv or json")
	return cmd
}

func (o *forecastOptions) run(ctx context.Context, streams Streams, now time.Time) error {
	quantiles, err := parseQuantiles(o.quantiles)
	if err != nil {
		return err
	}
	location, err := v1alpha1.TimeZone(o.timeZone).Location()
	if err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	write := map[string]func(io.Writer, []float64, []seriesForecast) error{"csv": writeForecastCSV, "json": writeForecastJSON}[o.output]
	if write == nil {
		return fmt.Errorf("--output %q is unknown: csv or json", o.output)
	}
	all, err := o.in.read(ctx, streams, now)
	if err != nil {
		return err
	}
	bar := newProgress(streams.Err, "forecasting")
	defer bar.end()
	out := make([]seriesForecast, len(all))
	for i, s := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.show(i, len(all))
		if out[i], err = forecastSeries(s, time.Duration(o.horizon), manystep.Options{Quantiles: quantiles, Location: location}); err != nil {
			return err
		}
	}
	bar.end()
	return write(streams.Out, quantiles, out)
}

// seriesForecast is the forecast of one series.
type seriesForecast struct {
	name   string
	stamps []string
	bands  manystep.Bands
}

func forecastSeries(s named, horizon time.Duration, o manystep.Options) (seriesForecast, error) {
	where := s.source
	if s.Name != "" {
		where += ", series " + s.Name
	}
	steps := horizon / s.Series.Step
	switch {
	case steps < 1:
		return seriesForecast{}, fmt.Errorf("%s: --horizon %s is shorter than a step of %s", where, v1alpha1.FormatDuration(horizon), v1alpha1.FormatDuration(s.Series.Step))
	case steps > maxForecastSteps:
		return seriesForecast{}, fmt.Errorf("%s: --horizon %s is %d steps of %s, more than %d: shorten it, or give a longer --step",
			where, v1alpha1.FormatDuration(horizon), steps, v1alpha1.FormatDuration(s.Series.Step), maxForecastSteps)
	case s.Series.Known() == 0:
		return seriesForecast{}, fmt.Errorf("%s: no row has a value: there is nothing to forecast from", where)
	}
	o.Horizon = int(steps)
	bands, err := manystep.Forecast(forecaster.Series(s.Series), o)
	if err != nil {
		return seriesForecast{}, fmt.Errorf("%s: %w", where, err)
	}
	out := seriesForecast{name: s.Name, bands: bands, stamps: make([]string, len(bands.Values))}
	for i := range out.stamps {
		out.stamps[i] = s.stamp(len(s.Series.Values) + i)
	}
	return out, nil
}

// parseQuantiles reads ascending numbers between 0 and 1.
func parseQuantiles(text string) ([]float64, error) {
	var out []float64
	for word := range strings.SplitSeq(text, ",") {
		q, err := strconv.ParseFloat(strings.TrimSpace(word), 64)
		if err != nil || !(q > 0 && q < 1) {
			return nil, fmt.Errorf("--quantiles: %q is not a number between 0 and 1, such as 0.975", strings.TrimSpace(word))
		}
		out = append(out, q)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// number writes a value in the fewest digits that read back as the same.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// writeForecastCSV writes [series,]timestamp,q0.025,q0.5,q0.975.
func writeForecastCSV(w io.Writer, quantiles []float64, all []seriesForecast) error {
	buffer := bufio.NewWriter(w)
	out := csv.NewWriter(buffer)
	multi := len(all) > 1 || all[0].name != ""
	var head []string
	if multi {
		head = append(head, "series")
	}
	head = append(head, "timestamp")
	for _, q := range quantiles {
		head = append(head, "q"+number(q))
	}
	if err := out.Write(head); err != nil {
		return err
	}
	for _, s := range all {
		for i, values := range s.bands.Values {
			row := make([]string, 0, len(head))
			if multi {
				row = append(row, s.name)
			}
			row = append(row, s.stamps[i])
			for _, v := range values {
				row = append(row, number(v))
			}
			if err := out.Write(row); err != nil {
				return err
			}
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return err
	}
	return buffer.Flush()
}

// writeForecastJSON writes one object with a list of series, each with timestamps and a list per quantile.
func writeForecastJSON(w io.Writer, quantiles []float64, all []seriesForecast) error {
	type column struct {
		Quantile float64   `json:"quantile"`
		Values   []float64 `json:"values"`
	}
	type series struct {
		Series      string   `json:"series,omitempty"`
		StepSeconds float64  `json:"stepSeconds"`
		Timestamps  []string `json:"timestamps"`
		Quantiles   []column `json:"quantiles"`
	}
	out := struct {
		Schema string   `json:"schema"`
		Series []series `json:"series"`
	}{Schema: "headstart.dev/forecast/v1alpha1"}
	for _, s := range all {
		one := series{Series: s.name, StepSeconds: s.bands.Step.Seconds(), Timestamps: s.stamps}
		for k, q := range quantiles {
			c := column{Quantile: q, Values: make([]float64, len(s.bands.Values))}
			for i, row := range s.bands.Values {
				c.Values[i] = finite(row[k])
			}
			one.Quantiles = append(one.Quantiles, c)
		}
		out.Series = append(out.Series, one)
	}
	encoder := json.NewEncoder(w)
	return encoder.Encode(out)
}

// finite keeps JSON valid whatever a model says.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
