// Package controller joins the rooms of Headstart on a cluster: it reads Forecasts, PeakSchedules and Calendars, asks the other
// packages, and writes status. It is thin on purpose: no forecasting, planning or serving rule lives here.
//
// Three things run at three rates. The leader alone reconciles: it reads history, fits, plans and writes status
// ([ForecastReconciler], [PeakScheduleReconciler], [CalendarReconciler]). Every replica keeps the served plans in memory from its informer
// cache ([Plans]) and polls observed demand itself ([Observer]), so that any replica answers alike and serving needs neither a
// leader nor Prometheus.
package controller
