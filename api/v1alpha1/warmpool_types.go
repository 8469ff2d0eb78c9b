package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WarmPool says what may be warmed ahead of the plans of the Forecasts that it selects, and within which limits.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=wp,categories=headstart
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Placeholders",type=integer,JSONPath=`.status.placeholders`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type WarmPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec is what may be warmed.
	// +required
	Spec WarmPoolSpec `json:"spec"`
	// status is what is warm.
	// +optional
	Status WarmPoolStatus `json:"status,omitempty"`
}

// WarmPoolList is a list of WarmPools.
//
// +kubebuilder:object:root=true
type WarmPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the WarmPools.
	Items []WarmPool `json:"items"`
}

// Condition types of a WarmPool, beside Ready.
const (
	// ConditionNodesWarm is True while nodes are held as the plans need them.
	ConditionNodesWarm = "NodesWarm"
	// ConditionImagesWarm is True while the nodes that the plans will use have the images.
	ConditionImagesWarm = "ImagesWarm"
	// ConditionWeightsWarm is True while the weights that the plans will need are loaded.
	ConditionWeightsWarm = "WeightsWarm"
	// ConditionCapacityShort is True once a plan needs more than the nodes and the limits can give.
	ConditionCapacityShort = "CapacityShort"
)

// WarmPoolSpec is what may be warmed.
type WarmPoolSpec struct {
	// forecastSelector picks the Forecasts of this namespace by label; {} picks all.
	// +required
	ForecastSelector metav1.LabelSelector `json:"forecastSelector"`
	// mode is Active or DryRun, which warms nothing and says in status what it would do.
	// +optional
	// +kubebuilder:default=Active
	Mode WarmPoolMode `json:"mode,omitempty"`
	// limits bound what is held for all Forecasts together, by resource name, such as nvidia.com/gpu.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Limits map[string]resource.Quantity `json:"limits,omitempty"`
	// nodes says how nodes are brought up ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Nodes WarmNodes `json:"nodes,omitempty"`
	// images says how images are brought to the nodes ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Images WarmImages `json:"images,omitempty"`
	// weights say how the weights of a Forecast's model are brought near ahead of the plan, for each Forecast that has any.
	// +optional
	// +listType=map
	// +listMapKey=forecast
	// +kubebuilder:validation:MaxItems=64
	Weights []WarmWeights `json:"weights,omitempty"`
}

// WarmPoolMode is whether a WarmPool acts.
//
// +kubebuilder:validation:Enum=Active;DryRun
type WarmPoolMode string

// The modes of a WarmPool.
const (
	WarmPoolActive WarmPoolMode = "Active"
	WarmPoolDryRun WarmPoolMode = "DryRun"
)

// WarmNodes says how nodes are brought up ahead of the plan.
type WarmNodes struct {
	// policy is Auto (CapacityBuffer where the cluster has it, else Placeholders), CapacityBuffer, Placeholders, ProvisioningRequest (all nodes of a rise or
	// none, for the cluster autoscaler's API of that name) or Off.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmNodesPolicy `json:"policy,omitempty"`
	// lead is how long a node takes to come up, and so how far ahead of the plan it is asked for. Without it that is learned from the starts that waited
	// for a node, and 5 minutes until three of them were seen.
	// +optional
	Lead Duration `json:"lead,omitempty"`
	// provisioningClass is the class of the ProvisioningRequests; best-effort-atomic-scale-up.autoscaling.x-k8s.io unless it is given.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ProvisioningClass string `json:"provisioningClass,omitempty"`
	// capacity is what the node pool can grow to, by resource name, such as nvidia.com/gpu: 16. Without it nobody is told beforehand that a plan
	// needs more than that.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Capacity map[string]resource.Quantity `json:"capacity,omitempty"`
}

// WarmNodesPolicy is how nodes are held.
//
// +kubebuilder:validation:Enum=Auto;CapacityBuffer;Placeholders;ProvisioningRequest;Off
type WarmNodesPolicy string

// The ways to hold nodes.
const (
	WarmNodesAuto           WarmNodesPolicy = "Auto"
	WarmNodesCapacityBuffer WarmNodesPolicy = "CapacityBuffer"
	WarmNodesPlaceholders   WarmNodesPolicy = "Placeholders"
	WarmNodesOff            WarmNodesPolicy = "Off"
	// WarmNodesProvisioningRequest asks for all nodes of a rise or none.
	WarmNodesProvisioningRequest WarmNodesPolicy = "ProvisioningRequest"
)

// WarmImages says how images are brought to the nodes ahead of the plan.
type WarmImages struct {
	// policy is Auto (ImagePullJob where the cluster has it, else Pods), ImagePullJob, Pods or Off.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmImagesPolicy `json:"policy,omitempty"`
	// lead is how long a pull takes, and so how far ahead of the plan it is begun. Without it that is learned from the starts that pulled, and 15 minutes
	// until three of them were seen.
	// +optional
	Lead Duration `json:"lead,omitempty"`
	// parallelism is how many nodes pull at a time, per Forecast: a registry serves a few at a time faster than many.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Parallelism int32 `json:"parallelism,omitempty"`
}

// WarmImagesPolicy is how images are pulled.
//
// +kubebuilder:validation:Enum=Auto;ImagePullJob;Pods;Off
type WarmImagesPolicy string

// The ways to pull images.
const (
	WarmImagesAuto         WarmImagesPolicy = "Auto"
	WarmImagesImagePullJob WarmImagesPolicy = "ImagePullJob"
	WarmImagesPods         WarmImagesPolicy = "Pods"
	WarmImagesOff          WarmImagesPolicy = "Off"
)

// WarmWeights say how the weights of one Forecast's model are brought near ahead of the plan.
//
// +kubebuilder:validation:XValidation:rule="(has(self.localModelCache) ? 1 : 0) + (has(self.dataLoad) ? 1 : 0) + (has(self.cronJob) ? 1 : 0) == 1",message="give exactly one of localModelCache, dataLoad and cronJob"
type WarmWeights struct {
	// forecast that they are for, by name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Forecast string `json:"forecast"`
	// lead is how long loading takes, and so how much earlier than nodes it is begun.
	// +optional
	// +kubebuilder:default="15m"
	Lead Duration `json:"lead,omitempty"`
	// localModelCache is the name of a KServe LocalModelCache. It loads for a whole group of nodes by itself, so it is looked at and not made: WeightsWarm says
	// whether all its nodes have the model.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LocalModelCache string `json:"localModelCache,omitempty"`
	// dataLoad has Fluid load a dataset ahead of each rise.
	// +optional
	DataLoad *WarmDataLoad `json:"dataLoad,omitempty"`
	// cronJob is the name of a CronJob of this namespace, best a suspended one, whose job template is run ahead of each rise.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	CronJob string `json:"cronJob,omitempty"`
}

// WarmDataLoad is what a Fluid DataLoad loads.
type WarmDataLoad struct {
	// dataset of this namespace, by name.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Dataset string `json:"dataset"`
	// paths in the dataset; all of it without any.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	Paths []string `json:"paths,omitempty"`
}

// WarmPoolStatus is what is warm.
type WarmPoolStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say what works and what to do about what does not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// placeholders that there are now, bound to a node or waiting for one.
	// +optional
	Placeholders int32 `json:"placeholders,omitempty"`
	// forecasts are the selected Forecasts, by name; the first 64 where there are more.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Forecasts []WarmForecast `json:"forecasts,omitempty"`
	// shared are the node pools that several of the Forecasts share, and what holding for them together saves.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Shared []WarmShared `json:"shared,omitempty"`
}

// WarmShared is what several Forecasts that share a node pool are held for together.
type WarmShared struct {
	// forecasts that share it, by name; the first 16 where there are more.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Forecasts []string `json:"forecasts"`
	// resource that they share, such as nvidia.com/gpu.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Resource string `json:"resource"`
	// hold is how much of it is to be held now.
	// +required
	Hold resource.Quantity `json:"hold"`
	// alone is how much that would be if each Forecast were held for on its own.
	// +required
	Alone resource.Quantity `json:"alone"`
	// correlation of their forecasts' errors that this counts on, from 0 to 1: what was measured and two standard errors, or 1 until enough was.
	// +required
	Correlation Decimal `json:"correlation"`
	// samples that the correlation was measured on.
	// +optional
	Samples int32 `json:"samples,omitempty"`
	// measuredAt is when that was, to the hour; after a restart it counts on from there.
	// +optional
	MeasuredAt *metav1.Time `json:"measuredAt,omitempty"`
}

// WarmForecast is what is, or in mode DryRun would be, held warm for one Forecast.
type WarmForecast struct {
	// name of the Forecast.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// warmedBy is the Forecast of the same target, by name, that nodes are held and images pulled for: by whichever plan asks for more at each instant, once for
	// both. Its entry says what; it is in the status of another WarmPool where that one holds for the target. Empty where that is this one, or none.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	WarmedBy string `json:"warmedBy,omitempty"`
	// replicas of the target that there are now, Ready or on their way.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// needed is the most replicas that the plan asks for until a node that is asked for now could have the image.
	// +optional
	Needed int32 `json:"needed,omitempty"`
	// hold is how many replicas' worth of nodes are to be held now: needed less replicas, less what Forecasts that share a node pool save, within the limits.
	// +optional
	Hold int32 `json:"hold,omitempty"`
	// held is how many are, on nodes that have the image.
	// +optional
	Held int32 `json:"held,omitempty"`
	// imageNodes is how many nodes are to have the image now.
	// +optional
	ImageNodes int32 `json:"imageNodes,omitempty"`
	// imageNodesReady is how many of them have it: they list it, or list no more than their largest fifty and a pull came through.
	// +optional
	ImageNodesReady int32 `json:"imageNodesReady,omitempty"`
	// nodeLead is how far ahead of the plan a node is asked for: given, learned, or assumed.
	// +optional
	NodeLead Duration `json:"nodeLead,omitempty"`
	// imageLead is how far ahead of that the image is pulled: given, learned, or assumed.
	// +optional
	ImageLead Duration `json:"imageLead,omitempty"`
	// learnedNodeLead is how long a node took to come up, as it was learned last from the starts that waited for one. It is kept while a lead is given or nothing is
	// warmed, and counts again after that. Without it that was never learned.
	// +optional
	LearnedNodeLead Duration `json:"learnedNodeLead,omitempty"`
	// learnedImageLead is how long a pull took, as it was learned last from the starts that pulled, and is kept likewise.
	// +optional
	LearnedImageLead Duration `json:"learnedImageLead,omitempty"`
	// weightsBy is what loads weights: LocalModelCache, DataLoad, Job, or nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	WeightsBy string `json:"weightsBy,omitempty"`
	// weights are Idle while no rise is ahead, then Loading, or Due where mode DryRun loads nothing, and Warm or Failed.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Weights string `json:"weights,omitempty"`
	// nodesBy is what holds nodes: CapacityBuffer, Placeholders, ProvisioningRequest or Off.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	NodesBy string `json:"nodesBy,omitempty"`
	// imagesBy is what pulls images: ImagePullJob, Pods or Off.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	ImagesBy string `json:"imagesBy,omitempty"`
	// message says what keeps this Forecast from being warmed, and what to do about it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}
