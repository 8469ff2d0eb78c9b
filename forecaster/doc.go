// Package forecaster turns a demand series into a calibrated estimate of the demand to be covered.
//
// It is pure: a series goes in, an [Outlook] comes out, and the answer depends on the series and
// the [Options] alone. There is no clock and no randomness. So a replay over a file and a live
// controller that saw the same points give the same numbers.
//
// A [Forecaster] has three operations:
//
//   - [Forecaster.Start] reads a whole series. It fits at the last fit instant, to nothing but the
//     points before it, and then updates with the points since.
//   - [Forecaster.Update] appends new steps, which is cheap, and fits again when a fit instant is
//     crossed.
//   - [Forecaster.Outlook] reads the state.
//
// Fit instants divide the week into equal parts, of at least six hours and 100 steps and at most a
// week: see [FitInterval]. A young series is fitted more often: see [NextFit].
//
// An Outlook answers two questions. Cover is what to provision for: a quantile of the maximum over
// the lead window, which an online controller holds to the user's [Contract]. Median is what to
// expect step by step, and with it Cover of the later steps, from the last day and the last week.
//
// The many-step forecast of `headstart forecast` is another model: see package manystep. Nothing
// here depends on it.
package forecaster
