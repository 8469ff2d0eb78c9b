// Package terms says which weights the terms of a demand have: those of the spec, or learned ones from
// status.
//
// Learned weights are in the status of a Forecast beside its plan and its capacity, and are written
// with these. So whoever reads one object has a query, a plan and a capacity that belong together.
// What status says is not trusted: it counts only for the terms that it was learned of, and within
// bounds around the weights of the spec.
package terms
