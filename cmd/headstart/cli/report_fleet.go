package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	fleets "headstart.dev/headstart/cmd/headstart/cli/internal/fleet"
	"headstart.dev/headstart/report/render"
)

// fleet is the services of a report that needs no cluster: the files of a folder, the series of a
// file, or a list of queries.
type fleet struct {
	title    string
	services []fleetService
}

// fleetService is one service: where its demand is read from.
type fleetService struct {
	name string
	in   inputFlags
}

// fleet returns the services to report on, and nil if the flags name a single one.
func (o *reportOptions) fleet() (*fleet, error) {
	switch {
	case o.queries != "" && !o.in.prometheus.Given():
		return nil, errors.New("--queries needs --prometheus")
	case o.queries != "":
		return o.queriedFleet()
	case o.in.input == "" && !o.in.prometheus.Given():
		return nil, errors.New("nothing to report on: give --input FILE, --prometheus URL with --query, the name of a " +
			"Forecast, or -A for all Forecasts")
	case o.in.input == "" || o.in.series != "":
		return nil, nil //nolint:nilnil // a single service is no error
	}
	if info, err := os.Stat(o.in.input); err == nil && info.IsDir() {
		return o.folderFleet()
	}
	all, err := o.in.readFile()
	if err != nil {
		return nil, err
	}
	f := seriesFleet("", o.in, all)
	if f == nil {
		o.in.file = all
	}
	return f, nil
}

// folderFleet returns the services of the CSV files of a folder.
func (o *reportOptions) folderFleet() (*fleet, error) {
	files, err := os.ReadDir(o.in.input)
	if err != nil {
		return nil, fmt.Errorf("--input: %w", err)
	}
	out := &fleet{title: filepath.Base(filepath.Clean(o.in.input))}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".gz")
		if !strings.HasSuffix(name, ".csv") || f.IsDir() {
			continue
		}
		in := o.in
		in.input = filepath.Join(o.in.input, f.Name())
		name = strings.TrimSuffix(name, ".csv")
		all, _ := in.readFile() // a file that cannot be read is named in the report
		if several := seriesFleet(name+"/", in, all); several != nil {
			out.services = append(out.services, several.services...)
			continue
		}
		out.services = append(out.services, fleetService{name, in})
	}
	if len(out.services) == 0 {
		return nil, fmt.Errorf("--input: there is no .csv or .csv.gz file in %s", o.in.input)
	}
	return out, nil
}

// seriesFleet returns the services of a file with several series, and nil if it has one. The file
// is read once.
func seriesFleet(prefix string, in inputFlags, all []inputSeries) *fleet {
	if len(all) < 2 {
		return nil
	}
	out := &fleet{title: filepath.Base(in.input)}
	for _, s := range all {
		one := in
		one.series, one.file = s.Name, []inputSeries{s}
		out.services = append(out.services, fleetService{prefix + s.Name, one})
	}
	return out
}

// queriedFleet returns the services of a file of queries: a name, a colon and PromQL on each line.
func (o *reportOptions) queriedFleet() (*fleet, error) {
	text, err := os.ReadFile(o.queries)
	if err != nil {
		return nil, fmt.Errorf("--queries: %w", err)
	}
	queries, err := fleets.Queries(string(text))
	if err != nil {
		return nil, fmt.Errorf("--queries: %w", err)
	}
	out := &fleet{title: filepath.Base(o.queries)}
	for _, q := range queries {
		in := o.in
		in.query = q.PromQL
		out.services = append(out.services, fleetService{q.Service, in})
	}
	return out, nil
}

// knows returns an error for a capacity of a service that the fleet does not have. A name that is
// mistyped would leave its service with the capacity of the others.
func (f *fleet) knows(capacities map[string]float64) error {
	var names []string
	for _, s := range f.services {
		names = append(names, s.name)
	}
	for _, name := range slices.Sorted(maps.Keys(capacities)) {
		if !slices.Contains(names, name) {
			const few = 5
			return fmt.Errorf("--capacities: there is no service %q here: there is %s", name,
				strings.Join(names[:min(few, len(names))], ", "))
		}
	}
	return nil
}

// runFleet makes one report on all services. One that cannot be replayed is named in it.
func (o *reportOptions) runFleet(
	ctx context.Context, streams Streams, now time.Time, f *fleet, write func(render.Document) error,
) error {
	if o.decisions != "" || o.plans != "" || o.learn.Given() {
		return errors.New("--decisions, --plans and --latency need one service: choose it with --series")
	}
	capacities, err := fleets.OpenCapacities(o.capacities)
	if err != nil {
		return fmt.Errorf("--capacities: %w", err)
	}
	if err := f.knows(capacities); err != nil {
		return err
	}
	out := fleets.Bundler{Title: f.title, What: "services", Output: o.output}
	for i, s := range f.services {
		one := *o
		f.services[i].in.file = nil // is needed no more
		one.in, one.service = s.in, s.name
		if v, ok := capacities[s.name]; ok {
			one.capacity = v
		}
		result, err := one.replay(ctx, streams, now, nil, nil, func(string) bool { return false })
		if err != nil && ctx.Err() != nil {
			return err
		}
		out.Add(s.name, result, err)
	}
	return out.Write(write)
}
