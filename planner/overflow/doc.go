// Package overflow says which part of a plan its cluster cannot serve: how much, from when, and why.
// It is pure. A step of the planner calls it, so a replay overflows as the server did.
package overflow
