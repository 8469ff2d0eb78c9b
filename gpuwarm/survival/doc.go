// Package survival estimates how long the next start of a service takes, from starts of which some
// have not finished. It is pure: samples in, numbers out.
//
//   - [Estimate] is a Kaplan-Meier quantile. A start that is still going on, or that ended before
//     it finished, is a censored sample: it took longer than it has lasted. A start that will never
//     finish is no sample at all, so Estimate also decides which those are.
//   - [AlignLevels] finds the last change of level, such as a new image or a slower disk, and
//     scales the older samples to the new level.
//   - [Shrink] moves an estimate from few samples towards a prior.
package survival
