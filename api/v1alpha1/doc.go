// Package v1alpha1 holds the kinds that people write and read: Forecast, PeakSchedule, Calendar and WarmPool, in the API
// group headstart.dev.
//
// The types follow the Kubernetes API conventions: durations are Prometheus durations ("90s", "5m", "28d") carried as
// strings, amounts of demand are quantities in the user's own unit, ratios are decimal strings, and rules that join two
// fields are CEL on the struct that owns both. Status is a subresource.
//
// +kubebuilder:object:generate=true
// +groupName=headstart.dev
package v1alpha1
