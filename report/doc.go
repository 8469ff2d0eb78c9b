// Package report replays history through the code that serves, and says what it would have served, cost and missed.
//
// At each step the replay knows the steps before it and no more: it updates the forecaster, builds the plan, and serves from it,
// with the functions that the controller and the adapter call. Cutting the input off after T changes nothing up to T. Beside it
// stand the policies that teams run today, each re-implemented from its published behaviour, and the oracle, which knows the
// future.
//
// # The closed loop
//
// One step is one row. A decision for step t is a number of replicas, made from the rows before t. They are paid from t, and
// serve from t + S on, where S is the lead in steps, rounded up. Fewer are paid only once a scale-down stabilisation window in a
// row wished for fewer. A replica serves the capacity; what is above that in a step is unserved. Missing rows hold the last
// value as history, and are left out of every sum. The cost J of a policy is the paid replica-steps plus the shortage cost times
// the unserved replica-steps; the oracle is the cheapest plan that serves everything.
package report
