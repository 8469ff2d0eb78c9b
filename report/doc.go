// Package report replays history through the code that serves, and compares the result with the
// policies that teams run today.
//
// At each step the replay knows only the steps before it. It updates the forecaster, builds the
// plan and serves from it, with the functions that the controller and the adapter call. So what it
// does up to a time does not depend on the input after that time. The other policies are
// implemented from their published behaviour. The oracle knows the future: it serves all demand at
// the lowest cost.
//
// # The closed loop
//
// One step is one row of the input. At step t a policy decides how many replicas it desires, from
// the rows before t. They are paid from t on, and they serve from t + S on, where S is the lead in
// steps, rounded up. A lower number takes effect only after the scale-down stabilisation window:
// the highest desired number of the window is paid, as by an HPA.
//
// A ready replica serves the capacity. Demand above the capacity of all ready replicas is unserved.
// The cost J of a policy is the paid replica-steps, plus the shortage cost times the unserved
// demand in replica-steps. For a missing row, the policies see the last known value, and no sum
// counts it.
package report
