// Package values holds in memory what every replica serves from: the plan of each Forecast, and the
// demand observed for it.
//
// [Plans] follows the Forecasts of the cluster and decodes each plan once per change. It implements
// [headstart.dev/headstart/adapter.Metrics], so serving a metric is a lookup. [Observer] polls the
// demand of each Forecast in the background. Every replica polls for itself, so the floor of
// observed demand depends neither on the owner of a Forecast nor on an upstream call while serving.
package values
