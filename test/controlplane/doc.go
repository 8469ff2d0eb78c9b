// Package controlplane builds and runs a real Kubernetes control plane on one machine, without containers: etcd,
// kube-apiserver, kube-controller-manager with its HPA controller, kube-scheduler, kwok for nodes and pods that only pretend
// to run, and Prometheus.
//
// [Binaries] builds what is missing into a folder, from the versions that the go.mod of the test module pins. [Start] runs
// everything on 127.0.0.1 on free ports with all state in one folder, and returns once it can be used. [ControlPlane.Stop]
// ends every process and removes the folder. The processes also end when the process that started them is killed.
//
// Nothing here knows about Headstart: the demo, the end-to-end tests and the benchmarks build on it.
package controlplane
