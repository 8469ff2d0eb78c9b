// Package gpuwarm knows how long a slow-starting service takes from "one more replica, please" to "serving", and makes the next
// start shorter.
//
// A start is read from API objects alone ([Observe]): pod conditions, container states, events and the node. A [Learner] keeps
// the newest starts of one service and estimates from them the warm-up of the pod that would be created next ([Learner.Lead]):
//
//   - The estimate is a Kaplan-Meier quantile, so that a start that is still going on, or that ended before it was Ready, counts
//     for what it tells: "longer than this". A start that is overdue raises the estimate before it has finished; one that is so
//     late that it will not finish any more leaves the estimate and is reported as failing instead.
//   - The newest starts are compared, path by path, with those before. When they differ, the older ones are brought to the new
//     level and lose their weight as newer ones come in, so that a new image or a slower disk is followed within a few starts.
//   - Few starts shrink towards what the node pool's other services take, and that towards the configured value.
//
// The learner is pure: it reads no clock and no API, and its whole state fits in Forecast.status.leadTime.recentStarts, so a
// restart forgets nothing. [Collect] is its thin edge to the cluster.
package gpuwarm
