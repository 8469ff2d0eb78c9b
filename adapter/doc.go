// Package adapter serves what Forecasts say through the metrics APIs that the HorizontalPodAutoscaler reads: a Forecast is an
// external metric of its own name (external.metrics.k8s.io), and the Object metric "demand" on itself (custom.metrics.k8s.io).
//
// # The serving path
//
// A request is authenticated by TokenReview or by the aggregator's client certificate, authorised by SubjectAccessReview (both
// cached, a minute by default), and answered by one call of [Metrics], which reads memory: no upstream call, no lock that is
// held across one, no wait. The autoscaler's own client for external metrics has no timeout and five workers for a whole
// cluster, so an adapter that hangs stops every autoscaler there is; one that does not know must say so at once.
//
// # What is never served
//
// Zero, NaN, an empty list or an old number in place of "unknown": the autoscaler takes a zero at its word and scales down,
// while on an error it holds. An answer is one item, finite, not negative, in milli-units, with the time of its computation; or
// a metav1.Status with code 404, as the metrics APIs answer for a metric without data, whose details.causes name the reason. It is
// 404 and not 503 because a 503 counts against the availability of the API server itself, and because no answer may carry
// Retry-After: client-go would sleep and retry inside the autoscaler's worker.
//
// # One owner per API group
//
// A metrics API group has one owner in a cluster. [Options.ExternalMetrics] and [Options.CustomMetrics] choose what is served,
// and [Preflight] refuses a group that belongs to another Service.
package adapter
