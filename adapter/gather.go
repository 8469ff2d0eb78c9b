package adapter

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Union gathers from several registries that know nothing of each other. A family that more than one of them has (the process
// and Go collectors, client-go's own) is taken from the first, since together they would be refused as duplicates.
func Union(gatherers ...prometheus.Gatherer) prometheus.Gatherer {
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		var (
			seen     = map[string]bool{}
			families []*dto.MetricFamily
			errs     prometheus.MultiError
		)
		for _, g := range gatherers {
			if g == nil {
				continue
			}
			got, err := g.Gather()
			errs.Append(err)
			for _, family := range got {
				if !seen[family.GetName()] {
					seen[family.GetName()] = true
					families = append(families, family)
				}
			}
		}
		slices.SortFunc(families, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
		return families, errs.MaybeUnwrap()
	})
}

// metricsHandler serves what can be gathered, even where a collector fails.
func metricsHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
