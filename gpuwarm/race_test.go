//go:build race

package gpuwarm

const raceEnabled = true
