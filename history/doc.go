// Package history reads demand series from Prometheus, through its HTTP API.
//
// They become a [Series]: one value per step of equal length, aligned to the Unix epoch, NaN where
// nothing is known. A sample evaluated at T describes the time up to T: it is the step that ends at
// T, and is stored under T − Step. Package csvfile reads the same from CSV files.
// Nothing here fills or smooths: gaps stay gaps.
//
// A [Source] is one Prometheus (or Thanos, Mimir, VictoriaMetrics) of the configuration file that
// [LoadSources] reads, as seen from one namespace. A [Reader] follows one query on it: first it
// reads the whole history, then only what is new.
//
// Every error of a Source is an [*Error]. It has a [Kind], for programs, and a message that says
// what to change, for users. No message holds a credential.
package history
