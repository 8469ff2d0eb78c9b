// Package adapter serves the metrics APIs that the HorizontalPodAutoscaler reads, from the plans of
// Forecasts. A Forecast is an external metric of its own name (external.metrics.k8s.io), and has
// the Object metric "demand" (custom.metrics.k8s.io). [New] makes the server, and [Metrics] is
// where its values come from.
//
// # A request
//
// A request is authenticated by TokenReview or by the aggregator's client certificate, and
// authorised by SubjectAccessReview. Both are cached, by default for a minute. One call of
// [Metrics] answers it from memory: no upstream call, no lock held across one, no wait. The reason
// is that the autoscaler's client for external metrics has no timeout, and five workers for a whole
// cluster: an adapter that hangs stops every autoscaler. So an adapter without a value must say so
// at once.
//
// # What is never served
//
// "Unknown" is never served as zero, NaN, an empty list or an old number. An autoscaler scales down
// on a zero, while on an error it holds. The answer is either one finite item, 0 or above, in
// milli-units, with the time of its computation; or a metav1.Status whose details.causes name the
// reason.
//
// That Status has the code 404, which the metrics APIs use for a metric without data. A 503 would
// count against the availability of the API server itself. It has no Retry-After, because client-go
// would sleep and retry inside the autoscaler's worker.
//
// # One owner per API group
//
// In a cluster a metrics API group has one owner. [Options.ExternalMetrics] and
// [Options.CustomMetrics] choose what is served. [Preflight] refuses a group that belongs to
// another Service.
package adapter
