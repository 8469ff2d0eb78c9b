package history

import (
	"slices"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// placeLabels are labels that usually name where a request was served: a cluster, or a pod of it.
var placeLabels = []string{
	"cluster", "cluster_name", "cluster_id", "k8s_cluster", "k8s_cluster_name", "destination_cluster",
	"pod", "pod_name", "kubernetes_pod_name", "k8s_pod_name", "destination_pod", "instance", "node", "region", "zone",
}

// PlaceLabels returns the labels by which a query selects where requests were served, sorted. Such a
// query may measure only what was routed to one of several clusters. It is empty for a query that
// cannot be parsed.
func PlaceLabels(query string) []string {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return nil
	}
	var found []string
	parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		for _, m := range selector.LabelMatchers {
			selects := m.Type == labels.MatchEqual || m.Type == labels.MatchRegexp
			if selects && m.Value != "" && slices.Contains(placeLabels, m.Name) {
				found = append(found, m.Name)
			}
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found)
}
