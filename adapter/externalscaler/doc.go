// Package externalscaler is the door for KEDA: it serves Forecasts to triggers of the types external
// and external-push, by KEDA's ExternalScaler service (gRPC). [New] makes the server.
//
// A trigger names a Forecast of its ScaledObject's namespace. Its value is the one that the metrics
// APIs serve, from the same memory and under the same rules: an error, never 0, for "unknown". KEDA
// counts the errors for its fallback. The target is known even when the value is not, so it is
// answered then too: KEDA takes the metric out of the HPA when there is no target.
//
// A Forecast is active while the demand to cover within its lead is above the threshold of the
// trigger, so that a workload at zero replicas wakes a lead before it is needed. A stream sends each
// change of activity, and each change of the target.
//
// # Who may read
//
// KEDA says in each call which namespace it asks for, and nobody can check that. Who reaches the
// port without a client certificate can read every Forecast. So the manifests admit the pods of
// KEDA's operator only, by a NetworkPolicy, and [Options.ClientCA] asks for certificates.
package externalscaler
