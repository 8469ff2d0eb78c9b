// Package harness puts Headstart into a real local control plane: its manifests, its process under the rights of its own
// ServiceAccount, simulated services with their HPAs and Forecasts, and the readings that the demo and the end-to-end tests
// take. It treats Headstart as a user does, through its binary and the Kubernetes API, and imports none of its packages.
package harness
