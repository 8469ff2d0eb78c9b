package controlplane

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Options of a control plane. Start from [DefaultOptions].
type Options struct {
	// Bin is the folder with the binaries; see [binaries.Layout.Build].
	Bin string
	// StateRoot is the folder in which the state folder is created. The default is the system's folder
	// for temporary files.
	StateRoot string
	// KeepState keeps the state folder, with the logs, after Stop.
	KeepState bool
	// Log gets one line for each step of the start. It must not be nil.
	Log io.Writer

	// HPASyncPeriod is how often the HPA controller evaluates every HPA.
	HPASyncPeriod time.Duration
	// HPADownscaleStabilization is the window of HPAs that do not set one.
	HPADownscaleStabilization time.Duration
	// ControllerManagerArgs are appended to the flags of kube-controller-manager, so they win.
	ControllerManagerArgs []string
	// APIServerArgs are appended to the flags of kube-apiserver, so they win.
	APIServerArgs []string

	// Nodes are created at the start, and kept Ready.
	Nodes []NodePool
	// Stages is kwok's configuration. The default is this package's: see [WarmUp].
	Stages []byte

	// Prometheus is started if this is set.
	Prometheus *PrometheusOptions
	// ReadyWithin is the longest time that one process may take until it can be used.
	ReadyWithin time.Duration
}

// NodePool is a number of equal simulated nodes.
type NodePool struct {
	// Name is the prefix of the nodes' names, and the value of their label "pool".
	Name string
	// Count of nodes.
	Count int
	// Capacity of each node.
	Capacity corev1.ResourceList
}

// GPUNodes returns a pool of count nodes, with gpus NVIDIA GPUs each.
func GPUNodes(count, gpus int) NodePool {
	return NodePool{Name: "gpu", Count: count, Capacity: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("512Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
		"nvidia.com/gpu":      *resource.NewQuantity(int64(gpus), resource.DecimalSI),
	}}
}

// DefaultOptions returns options for tests: a fast control loop, and GPUs for 80 pods.
func DefaultOptions(bin string) Options {
	return Options{
		Bin:                       bin,
		StateRoot:                 os.TempDir(),
		Log:                       io.Discard,
		HPASyncPeriod:             2 * time.Second,
		HPADownscaleStabilization: 15 * time.Second,
		Nodes:                     []NodePool{GPUNodes(10, 8)},
		Stages:                    defaultStages,
		ReadyWithin:               2 * time.Minute,
	}
}

func (o Options) validate() error {
	var errs []error
	if o.Bin == "" {
		errs = append(errs, errors.New("no Bin: name the folder with the binaries"))
	}
	if o.Log == nil {
		errs = append(errs, errors.New("no Log: use io.Discard"))
	}
	if o.HPASyncPeriod <= 0 || o.ReadyWithin <= 0 {
		errs = append(errs, errors.New("HPASyncPeriod and ReadyWithin must be above 0"))
	}
	if len(o.Stages) == 0 {
		errs = append(errs, errors.New("no Stages: kwok ends at once without any"))
	}
	for _, n := range o.Nodes {
		if n.Name == "" || n.Count < 0 {
			errs = append(errs, fmt.Errorf("node pool %q with %d nodes: name it and do not count below 0", n.Name, n.Count))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("options of the control plane: %w", err)
	}
	return nil
}
