// Package controller connects the other packages of Headstart to a cluster. It reads Forecasts,
// PeakSchedules and Calendars, calls the packages that forecast and plan, and writes status. It
// contains no rule of forecasting, planning or serving itself.
//
// Replicas share the work, see [Options.Shard]: each runs [ForecastReconciler] and the reconcilers
// of the package schedules for the objects that it owns. They read history, fit models, make plans
// and write status.
//
// Serving needs neither the owner nor Prometheus. Every replica keeps the plans and the observed
// demand of all Forecasts in memory, see the package adapter/values.
package controller
