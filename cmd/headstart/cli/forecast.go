package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/cmd/headstart/cli/internal/terminal"
	"headstart.dev/headstart/forecaster"
	"headstart.dev/headstart/forecaster/manystep"
	"headstart.dev/headstart/history/csvfile"
)

// maxForecastSteps limits how many steps of one series a call may forecast.
const maxForecastSteps = 1_000_000

// forecastOptions holds the flags of forecast.
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
		Short: "Forecast demand from a file or from Prometheus, as quantiles",
		Long: `Forecast reads a history of demand and writes quantiles of the demand to come, one row per step.

The first row is one step after the last row of the input. If the file has a series column, each
series is forecast by itself.`,
		Example: `  headstart forecast --input demand.csv
  headstart forecast --input demand.csv --horizon 48h --quantiles 0.025,0.5,0.975
  headstart forecast --prometheus http://localhost:9090 --query 'sum(rate(http_requests_total[2m]))' -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), streams, time.Now()) },
	}
	flags := cmd.Flags()
	o.in.register(flags)
	flags.Var(&o.horizon, "horizon", "how far to forecast")
	flags.StringVar(&o.quantiles, "quantiles", "0.025,0.5,0.975",
		"`QUANTILES` to write, between 0 and 1, separated by commas")
	flags.StringVar(&o.timeZone, "time-zone", "UTC", "IANA `ZONE` whose wall clock the daily cycle follows")
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
	write := map[string]func(io.Writer, []float64, []seriesForecast) error{
		"csv": writeForecastCSV, "json": writeForecastJSON,
	}[o.output]
	if write == nil {
		return fmt.Errorf("--output %q is unknown: use csv or json", o.output)
	}
	all, err := o.in.read(ctx, streams, now)
	if err != nil {
		return err
	}
	bar := terminal.NewProgress(streams.Err, "forecasting")
	defer bar.End()
	options := manystep.Options{Quantiles: quantiles, Location: location}
	out := make([]seriesForecast, len(all))
	for i, s := range all {
		s.tell(streams.Err)
		if err := ctx.Err(); err != nil {
			return err
		}
		bar.Show(i, len(all))
		if out[i], err = forecastSeries(s, time.Duration(o.horizon), options); err != nil {
			return err
		}
	}
	bar.End()
	return write(streams.Out, quantiles, out)
}

// seriesForecast is the forecast of one series.
type seriesForecast struct {
	name   string
	stamps []string // one per step, in the format of the input
	bands  manystep.Bands
}

func forecastSeries(s inputSeries, horizon time.Duration, o manystep.Options) (seriesForecast, error) {
	where := s.source
	if s.Name != "" {
		where += ", series " + s.Name
	}
	steps := horizon / s.Series.Step
	long, step := v1alpha1.FormatDuration(horizon), v1alpha1.FormatDuration(s.Series.Step)
	switch {
	case steps < 1:
		return seriesForecast{}, fmt.Errorf("%s: --horizon %s is shorter than a step of %s", where, long, step)
	case steps > maxForecastSteps:
		return seriesForecast{}, fmt.Errorf("%s: --horizon %s is %d steps of %s, and the limit is %d: "+
			"give a shorter --horizon or a longer --step", where, long, steps, step, maxForecastSteps)
	case s.Series.Known() == 0:
		return seriesForecast{}, fmt.Errorf("%s: no row has a value, so no forecast is possible", where)
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

// parseQuantiles reads numbers between 0 and 1 and returns them in ascending order.
func parseQuantiles(text string) ([]float64, error) {
	var out []float64
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		q, err := strconv.ParseFloat(word, 64)
		if err != nil || !(q > 0 && q < 1) {
			return nil, fmt.Errorf("--quantiles: %q is not a number between 0 and 1, such as 0.975", word)
		}
		out = append(out, q)
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// digits is how many digits of a number are written. What follows them is rounding of floating-point
// sums, such as that of 112.98700000000001.
const digits = 10

// number formats a value.
func number(v float64) string { return strconv.FormatFloat(v, 'g', digits, 64) }

// rounded returns a value with the digits that number writes.
func rounded(v float64) float64 {
	out, _ := strconv.ParseFloat(number(v), 64) // always parses
	return out
}

// writeForecastCSV writes one row per step: [series,]timestamp,q0.025,q0.5,q0.975.
func writeForecastCSV(w io.Writer, quantiles []float64, all []seriesForecast) error {
	out := csv.NewWriter(w)
	withName := len(all) > 1 || all[0].name != ""
	var head []string
	if withName {
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
			if withName {
				row = append(row, csvfile.Cell(s.name))
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
	return out.Error()
}

// writeForecastJSON writes one object with a list of series. Each series has a list of timestamps
// and one list of values per quantile.
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
				c.Values[i] = rounded(row[k])
			}
			one.Quantiles = append(one.Quantiles, c)
		}
		out.Series = append(out.Series, one)
	}
	return json.NewEncoder(w).Encode(out)
}
