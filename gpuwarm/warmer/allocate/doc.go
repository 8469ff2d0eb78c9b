// Package allocate decides what a WarmPool holds, pulls and loads, and for which Forecast. It is
// pure: [Decide] is a function of a [Snapshot] of the cluster, of what is remembered from the last
// look ([Memory]), and of [Options].
//
// The order of Forecasts, WarmPools, pods and nodes in a snapshot does not matter. Forecasts are
// taken by name, and so are nodes with the same room.
//
// The parts, each in a file: who is warmed for at all (eligible.go); which image replicas get
// (admission.go); which Forecast and which WarmPool hold for a target that several are for
// (owner.go); how much is needed (size.go); what limits leave room for, and which placeholders are
// taken over (limits.go, takeover.go); which nodes have the image (imagenodes.go); what plans need
// beyond what there can be (shortage.go). [Measure] counts what is held (measure.go).
package allocate
