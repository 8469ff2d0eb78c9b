package adapter

import (
	"net/http"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

// Union gathers from several registries; nil ones are left out. A metric family that several of
// them have (those of the process, of Go and of client-go) is taken from the first, since
// duplicates would be an error.
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

// metricsHandler serves the metrics of g. When a collector fails, the others are still served.
func metricsHandler(g prometheus.Gatherer) http.Handler {
	return promhttp.HandlerFor(g, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}
