// Package reads reads series from Prometheus for Forecasts, beside the work of the reconcilers. It
// decides who reads when several want to: sources do not wait for each other, and namespaces share
// the workers of a source fairly.
package reads
