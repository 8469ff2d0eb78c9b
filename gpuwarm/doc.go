// Package gpuwarm learns how long a slow-starting service takes from "one more replica" to
// "serving", and computes what to warm ahead so that the next start is shorter.
//
// [Observe] reads one start from API objects alone: pod conditions, container states, events and
// the node. A [Learner] keeps the newest starts of one service. [Learner.Lead] estimates from them
// the warm-up of the next pod:
//
//   - The estimate is a Kaplan-Meier quantile (package survival). A start that is still going on,
//     or that ended before the pod was Ready, counts as "longer than this". A start that is overdue
//     raises the estimate before it has finished. A start that is so late that it will not finish
//     leaves the estimate, and is reported as failing.
//   - The newest starts are compared with those before, for each path. When they differ, the older
//     ones are scaled to the new level, and lose their weight as newer ones finish. So the estimate
//     follows a new image or a slower disk within a few starts.
//   - With few starts the estimate shrinks towards that of the other services on the node pool, and
//     the latter towards the configured value.
//
// The learner is pure: it reads no clock and no API. Its whole state fits into
// Forecast.status.leadTime.recentStarts, so a restart loses nothing. [Collector] reads the starts
// from a cluster.
//
// For warming, [Timeline] is a plan in replicas, and [Staging] and [JointHolds] compute how many
// nodes, images and weights to have ready.
package gpuwarm
