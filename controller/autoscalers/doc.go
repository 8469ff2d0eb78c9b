// Package autoscalers knows which autoscalers read a Forecast: HPAs, and the ScaledObjects of KEDA.
// What they mean for a plan is decided in the package planner.
package autoscalers
