// Package values holds in memory what every replica serves from: the plan of each Forecast, and the
// demand observed for it.
//
// [Plans] follows the Forecasts of the cluster and decodes each plan once per change. It implements
// [headstart.dev/headstart/adapter.Metrics], so serving a metric is a lookup. [Observer] knows the
// demand of each Forecast: the replica that owns one polls for it in the background, and tells the
// others. A replica that does not hear of the owner's polls polls for itself what it is asked for.
// So the floor of observed demand does not depend on the owner of a Forecast. Serving waits for a
// poll only where a replica is asked for the first time and has heard nothing, and not for long.
package values
