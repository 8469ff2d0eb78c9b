//go:build !race

package controller

// defaultReplayCases is how many random services are planned and replayed.
const defaultReplayCases = 1000
