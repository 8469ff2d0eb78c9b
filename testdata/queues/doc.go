// Package queues simulates services whose capacity is known, request by request, in simulated time.
// It is for tests.
//
// A [World] is a kind of service: a model server with continuous batching, a web service, a
// diffusion model. A [Service] is a number of its replicas. Requests arrive at random and go to the
// ready replicas in turn. [Service.Step] returns what Prometheus would have measured in a step.
//
// A model server is simulated as a fluid: between two events (a request arrives, a prompt is
// processed, an answer ends) all running requests receive tokens at the rate that the size of the
// batch allows. A test compares this with a simulation of every iteration.
//
// The capacity of a world is the load per replica at which its objective holds in the share Attain
// of the steps. [World.Measure] finds it by simulations at fixed loads.
package queues
