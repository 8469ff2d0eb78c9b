// Package forecaster turns a demand series into a calibrated estimate of the demand that has to be covered.
//
// It is pure mathematics: a series goes in, an [Outlook] comes out, and the answer is a function of the series and the
// [Options] alone. There is no clock, no randomness and no memory beyond the series, so a replay over a file and a live
// controller that saw the same points give the same numbers.
//
// A [Forecaster] knows three operations. [Forecaster.Start] reads a whole series: it fits at the last fit instant (see
// [FitInstant]) with nothing but the points before it, and then updates with the points since. [Forecaster.Update] appends new
// steps, cheaply, and refits when a fit instant is crossed. [Forecaster.Outlook] reads the state.
//
// What is served and what is drawn are two questions with two answers. The lead-window estimate, Cover in an [Outlook], is a
// quantile of the maximum over the lead window, held to the user's [Contract] by an online controller. The many-step forecast,
// [Quantiles] and the later part of an Outlook, is a combination of whole-series models.
package forecaster
