// Package fleet reads the files that describe many services, and bundles their reports.
package fleet

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Query is the demand of one service.
type Query struct{ Service, PromQL string }

// Queries reads a list of queries: a name, a colon, a blank and PromQL on each line. Empty lines
// and those that begin with # do not count.
func Queries(text string) ([]Query, error) {
	var out []Query
	n := 0
	for line := range strings.Lines(text) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, query, ok := strings.Cut(line, ": ")
		name, query = strings.TrimSpace(name), strings.TrimSpace(query)
		if !ok || name == "" || query == "" || strings.ContainsAny(name, "({\"") {
			return nil, fmt.Errorf("line %d is not a name, a colon, a blank and PromQL, such as "+
				"checkout: sum(rate(http_requests_total[2m]))", n)
		}
		out = append(out, Query{name, query})
	}
	if len(out) == 0 {
		return nil, errors.New("there is no query in it")
	}
	return out, nil
}

// OpenCapacities reads the demand that one replica of each service serves from a file. Without a
// path there are none.
func OpenCapacities(path string) (map[string]float64, error) {
	if path == "" {
		return map[string]float64{}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Capacities(f)
}

// Capacities does the same as OpenCapacities for an open file: CSV with the header
// service,capacity.
func Capacities(r io.Reader) (map[string]float64, error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil || len(rows) == 0 || !slices.Equal(rows[0], []string{"service", "capacity"}) {
		return nil, errors.Join(errors.New("the file must be CSV with the header service,capacity"), err)
	}
	out := map[string]float64{}
	for i, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil || !(v > 0) {
			return nil, fmt.Errorf("line %d: %q is not a capacity above 0", i+2, row[1])
		}
		out[row[0]] = v
	}
	return out, nil
}
