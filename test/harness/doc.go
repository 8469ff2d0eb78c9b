// Package harness installs Headstart on a real local control plane: its manifests, its process with
// the permissions of its own ServiceAccount, and simulated services with their HPAs and Forecasts.
// It has the measurements that the demo and the end-to-end tests share.
//
// It uses Headstart as a user does, through its binary and the Kubernetes API, and imports none of
// its packages.
package harness
