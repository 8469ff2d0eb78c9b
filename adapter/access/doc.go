// Package access authenticates and authorises the callers of an aggregated API server by
// TokenReview and SubjectAccessReview, with bounds on what each kind of caller may cost.
//
// Anybody who reaches the serving port can send tokens, and each unknown token costs a review by
// the API server. So callers are of two kinds. The front proxy (the aggregator, which the API
// server's own client certificate proves) speaks for users that the API server has authenticated
// already. Autoscalers come this way. Everybody else calls directly.
//
//   - A front-proxy request never takes from a budget that direct callers use. Each user behind the
//     proxy has a budget of its own.
//   - A direct caller has a small budget: by source address until a token is accepted, then by token
//     and by user. There are also bounds for all direct callers together, on the rate and on the
//     number of reviews that wait for an answer.
//   - A request beyond a direct caller's budget is refused at once, without a line in the log.
//   - Answers are cached: accepted tokens and permissions as long as the configuration says, refusals
//     for ten seconds at most. All caches have a bound, and direct callers cannot push the answers
//     for the front proxy out.
package access
