// Package controlplane runs a real Kubernetes control plane on one machine, without containers:
// etcd, kube-apiserver, kube-controller-manager with its HPA controller, kube-scheduler, kwok,
// which simulates nodes and pods, and Prometheus.
//
// Package binaries builds them. [Start] runs everything on free ports of 127.0.0.1, with all state
// in one folder, and returns once it can be used. [ControlPlane.Stop] ends every process and
// removes the folder. On Linux the processes also end when the process that started them is killed.
//
// This package knows nothing about Headstart. The demo, the end-to-end tests and the benchmarks
// build on it.
package controlplane
