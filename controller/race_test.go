//go:build race

package controller

// defaultReplayCases is lower under the race detector, which makes each case take ten times as
// long. The property has no goroutines of its own to look at.
const defaultReplayCases = 50
