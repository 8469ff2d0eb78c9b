// Package v1alpha1 holds the kinds of the API group headstart.dev: Forecast, PeakSchedule, Calendar
// and WarmPool.
//
// The types follow the Kubernetes API conventions:
//
//   - Durations are Prometheus durations ("90s", "5m", "28d"), as strings.
//   - Amounts of demand are quantities in the user's own unit.
//   - Ratios are decimal numbers, as strings.
//   - A rule that joins two fields is CEL on the struct that has both.
//   - Status is a subresource.
//
// +kubebuilder:object:generate=true
// +groupName=headstart.dev
package v1alpha1
