// Package learned replays how the capacity of a replica is learned, step by step, with the code of
// the server. At each step it knows what came before it, and nothing later.
package learned
