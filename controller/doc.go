// Package controller connects the other packages of Headstart to a cluster. It reads Forecasts,
// PeakSchedules and Calendars, calls the packages that forecast and plan, and writes status. It
// contains no rule of forecasting, planning or serving itself.
//
// The reconcilers run on the leader only: [ForecastReconciler], [PeakScheduleReconciler] and
// [CalendarReconciler]. They read history, fit models, make plans and write status.
//
// Serving needs neither a leader nor Prometheus. Every replica keeps the plans in memory and polls
// observed demand itself, see the package adapter/values.
package controller
