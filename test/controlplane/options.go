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
	// StateRoot is the folder in which the state folder is made; the system's folder for temporary files without it.
	StateRoot string
	// KeepState leaves the state folder, with the logs, in place after Stop.
	KeepState bool
	// Log gets one line for each thing that happens. Never nil after DefaultOptions.
	Log io.Writer

	// HPASyncPeriod is how often the HPA controller looks at every HPA.
	HPASyncPeriod time.Duration
	// HPADownscaleStabilization is the window for HPAs that do not name one.
	HPADownscaleStabilization time.Duration
	// ControllerManagerArgs are added to those of kube-controller-manager and win over them.
	ControllerManagerArgs []string
	// APIServerArgs are added to those of kube-apiserver and win over them.
	APIServerArgs []string

	// Nodes are made at the start, and kept Ready.
	Nodes []NodePool
	// Stages is kwok's configuration; the one of this package without it: see [WarmUp].
	Stages []byte

	// Prometheus is started as well where it is given.
	Prometheus *PrometheusOptions
	// ReadyWithin is the longest that any one process may take until it can be used.
	ReadyWithin time.Duration
}

// NodePool is a number of equal nodes that only pretend to be there.
type NodePool struct {
	// Name is what the names of the nodes begin with, and the value of their label "pool".
	Name string
	// Count of nodes.
	Count int
	// Capacity of each node.
	Capacity corev1.ResourceList
}

// GPUNodes are count nodes with gpus NVIDIA GPUs each.
func GPUNodes(count, gpus int) NodePool {
	return NodePool{Name: "gpu", Count: count, Capacity: corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("64"),
		corev1.ResourceMemory: resource.MustParse("512Gi"),
		corev1.ResourcePods:   resource.MustParse("110"),
		"nvidia.com/gpu":      *resource.NewQuantity(int64(gpus), resource.DecimalSI),
	}}
}

// DefaultOptions are for tests: a quick control loop, and GPUs for 80 pods.
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
