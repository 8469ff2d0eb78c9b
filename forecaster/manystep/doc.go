// Package manystep forecasts a plain series many steps ahead, as quantiles step by step. It serves
// `headstart forecast` and the comparison on the M4 series.
//
// The median is a combination of whole-series models, weighted by their errors from rolling origins
// in the last third of the history; the errors of the combination become the other quantiles.
// Nothing that is served to an autoscaler depends on this package: see package forecaster.
package manystep
