package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// WarmPool says what may be warmed ahead of the plans of the Forecasts that it selects, and within
// which limits.
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

	// spec says what may be warmed.
	// +required
	Spec WarmPoolSpec `json:"spec"`
	// status says what is warm.
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

// Condition types of a WarmPool, in addition to Ready.
const (
	// ConditionNodesWarm is True while as many nodes are held as the plans need.
	ConditionNodesWarm = "NodesWarm"
	// ConditionImagesWarm is True while the nodes that the plans will use have the images.
	ConditionImagesWarm = "ImagesWarm"
	// ConditionWeightsWarm is True while the weights that the plans will need are loaded.
	ConditionWeightsWarm = "WeightsWarm"
	// ConditionCapacityShort is True while a plan needs more than the nodes and the limits allow.
	ConditionCapacityShort = "CapacityShort"
)

// WarmPoolSpec says what may be warmed.
//
// +kubebuilder:validation:XValidation:rule="self.mode == 'DryRun' || self.nodes.policy == 'Off' || (has(self.limits) && size(self.limits) > 0)",message="limits are required in mode Active: give the most that may be held, such as {nvidia.com/gpu: \"16\"}, or set mode to DryRun"
type WarmPoolSpec struct {
	// forecastSelector selects Forecasts of this namespace by label. The empty selector {} selects
	// all.
	// +required
	ForecastSelector metav1.LabelSelector `json:"forecastSelector"`
	// mode is Active or DryRun. DryRun warms nothing, and status says what it would do.
	// +optional
	// +kubebuilder:default=Active
	Mode WarmPoolMode `json:"mode,omitempty"`
	// limits bound the resources that are held for all Forecasts together, by resource name, such
	// as nvidia.com/gpu. They are required in mode Active, unless nodes.policy is Off.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Limits map[string]resource.Quantity `json:"limits,omitempty"`
	// nodes says how nodes are started ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Nodes WarmNodes `json:"nodes,omitempty"`
	// images says how images are pulled to the nodes ahead of the plan.
	// +optional
	// +kubebuilder:default={policy: Auto}
	Images WarmImages `json:"images,omitempty"`
	// weights say how the weights of models are loaded ahead of the plan, with one entry for each
	// Forecast whose weights are loaded.
	// +optional
	// +listType=map
	// +listMapKey=forecast
	// +kubebuilder:validation:MaxItems=64
	Weights []WarmWeights `json:"weights,omitempty"`
}

// WarmPoolMode says whether a WarmPool acts.
//
// +kubebuilder:validation:Enum=Active;DryRun
type WarmPoolMode string

// The modes of a WarmPool.
const (
	WarmPoolActive WarmPoolMode = "Active"
	WarmPoolDryRun WarmPoolMode = "DryRun"
)

// WarmNodes says how nodes are started ahead of the plan.
type WarmNodes struct {
	// policy is Auto, CapacityBuffer, Placeholders, ProvisioningRequest or Off. Auto is
	// CapacityBuffer where the cluster has it, and Placeholders elsewhere. ProvisioningRequest
	// requests all nodes of a rise or none, through the API of that name of the cluster autoscaler.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmNodesPolicy `json:"policy,omitempty"`
	// lead is how long a node takes to start. It is requested that long ahead of the plan. Without
	// it, the lead is learned from the starts that waited for a node. Until three of them have been
	// observed, it is 5 minutes.
	// +optional
	Lead Duration `json:"lead,omitempty"`
	// provisioningClass is the class of the ProvisioningRequests. Without it, that is
	// best-effort-atomic-scale-up.autoscaling.x-k8s.io.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	ProvisioningClass string `json:"provisioningClass,omitempty"`
	// capacity is what the node pool can grow to, by resource name, such as nvidia.com/gpu: 16.
	// Without it, there is no warning in advance when a plan needs more than that.
	// +optional
	// +kubebuilder:validation:MaxProperties=16
	Capacity map[string]resource.Quantity `json:"capacity,omitempty"`
}

// WarmNodesPolicy says how nodes are held.
//
// +kubebuilder:validation:Enum=Auto;CapacityBuffer;Placeholders;ProvisioningRequest;Off
type WarmNodesPolicy string

// The ways to hold nodes.
const (
	WarmNodesAuto           WarmNodesPolicy = "Auto"
	WarmNodesCapacityBuffer WarmNodesPolicy = "CapacityBuffer"
	WarmNodesPlaceholders   WarmNodesPolicy = "Placeholders"
	WarmNodesOff            WarmNodesPolicy = "Off"
	// WarmNodesProvisioningRequest requests all nodes of a rise or none.
	WarmNodesProvisioningRequest WarmNodesPolicy = "ProvisioningRequest"
)

// WarmImages says how images are pulled to the nodes ahead of the plan.
type WarmImages struct {
	// policy is Auto, ImagePullJob, Pods or Off. Auto is ImagePullJob where the cluster has it, and
	// Pods elsewhere.
	// +optional
	// +kubebuilder:default=Auto
	Policy WarmImagesPolicy `json:"policy,omitempty"`
	// lead is how long a pull takes. It begins that long ahead of the plan. Without it, the lead is
	// learned from the starts that pulled. Until three of them have been observed, it is 15
	// minutes.
	// +optional
	Lead Duration `json:"lead,omitempty"`
	// parallelism is how many nodes pull at the same time, per Forecast. A registry serves a few
	// pulls at a time faster than many.
	// +optional
	// +kubebuilder:default=4
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=100
	Parallelism int32 `json:"parallelism,omitempty"`
	// maxNodes is the most nodes without a replica that have an image pulled, for all Forecasts
	// together. A node counts once for each of them.
	// +optional
	// +kubebuilder:default=500
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=1000
	MaxNodes int32 `json:"maxNodes,omitempty"`
}

// WarmImagesPolicy says how images are pulled.
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

// WarmWeights says how the weights of one Forecast's model are loaded ahead of the plan.
//
// +kubebuilder:validation:XValidation:rule="(has(self.localModelCache) ? 1 : 0) + (has(self.dataLoad) ? 1 : 0) + (has(self.cronJob) ? 1 : 0) == 1",message="give exactly one of localModelCache, dataLoad and cronJob"
type WarmWeights struct {
	// forecast is the name of the Forecast.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Forecast string `json:"forecast"`
	// lead is how long loading takes. It begins that much earlier than nodes are requested.
	// +optional
	// +kubebuilder:default="15m"
	Lead Duration `json:"lead,omitempty"`
	// localModelCache is the name of a KServe LocalModelCache. KServe loads it to a whole group of
	// nodes by itself, so Headstart only observes it: the condition WeightsWarm says whether all
	// its nodes have the model.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	LocalModelCache string `json:"localModelCache,omitempty"`
	// dataLoad has Fluid load a dataset ahead of each rise.
	// +optional
	DataLoad *WarmDataLoad `json:"dataLoad,omitempty"`
	// cronJob is the name of a CronJob of this namespace. A Job is made of its template ahead of
	// each rise. Suspend the CronJob, unless it is to run on its own schedule too. It needs the
	// label headstart.dev/load-weights: "true".
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=52
	CronJob string `json:"cronJob,omitempty"`
}

// WarmDataLoad says what a Fluid DataLoad loads.
type WarmDataLoad struct {
	// dataset is the name of a Dataset of this namespace.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Dataset string `json:"dataset"`
	// paths are the paths of the dataset to load. Without it, the whole dataset is loaded.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=32
	// +kubebuilder:validation:items:MaxLength=1024
	Paths []string `json:"paths,omitempty"`
}

// WarmPoolStatus says what is warm.
type WarmPoolStatus struct {
	// observedGeneration is the generation of the spec that this status describes.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// conditions say what works and what to do about what does not.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=8
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// placeholders is the number of placeholder pods, whether they are bound to a node or pending.
	// +optional
	Placeholders int32 `json:"placeholders,omitempty"`
	// forecasts are the selected Forecasts, ordered by name. Of more than 64, it has the first 64.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=64
	Forecasts []WarmForecast `json:"forecasts,omitempty"`
	// shared are the node pools that several of the Forecasts share, and how much less is held
	// because they share.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Shared []WarmShared `json:"shared,omitempty"`
	// rooms are what services can have together that share nodes, where that is known. Their
	// Forecasts share it by spec.priority.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Rooms []WarmRoom `json:"rooms,omitempty"`
}

// WarmRoom is how much of a resource services can have together that share nodes.
type WarmRoom struct {
	// resource is the name of the shared resource, such as nvidia.com/gpu.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Resource string `json:"resource"`
	// most is how much of it they can have together.
	// +required
	Most resource.Quantity `json:"most"`
	// by is what bounds that: Nodes, Pool or Quota.
	// +required
	// +kubebuilder:validation:MaxLength=32
	By string `json:"by"`
	// members are the Forecasts, ordered by name, and what a replica of each takes.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=64
	Members []WarmRoomMember `json:"members"`
}

// WarmRoomMember is a Forecast that shares a resource.
type WarmRoomMember struct {
	// forecast is its name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Forecast string `json:"forecast"`
	// units is how much of the resource one replica takes.
	// +required
	Units resource.Quantity `json:"units"`
}

// WarmShared says what is held for several Forecasts that share a node pool.
type WarmShared struct {
	// forecasts are the names of the Forecasts, in order. Of more than 16, it has the first 16.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=16
	Forecasts []string `json:"forecasts"`
	// resource is the name of the shared resource, such as nvidia.com/gpu.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Resource string `json:"resource"`
	// hold is how much of the resource is to be held now.
	// +required
	Hold resource.Quantity `json:"hold"`
	// alone is how much would be held if every Forecast were on its own.
	// +required
	Alone resource.Quantity `json:"alone"`
	// correlation is the correlation between the errors of their forecasts that hold was computed
	// with, from 0 to 1: the measured one plus two standard errors, or 1 until enough has been
	// measured.
	// +required
	Correlation Decimal `json:"correlation"`
	// samples is the number of samples that the correlation was measured on.
	// +optional
	Samples int32 `json:"samples,omitempty"`
	// measuredAt is when the correlation was measured, to the hour. After a restart, measuring
	// continues from there.
	// +optional
	MeasuredAt *metav1.Time `json:"measuredAt,omitempty"`
}

// WarmForecast says what is held warm for one Forecast. In mode DryRun, it says what would be held.
type WarmForecast struct {
	// name is the name of the Forecast.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`
	// warmedBy is the name of another Forecast with the same target. Nodes are held and images are
	// pulled for that Forecast only, once for both, as much as the larger of the two plans needs at
	// each instant. Its entry says what is done. The entry is in the status of another WarmPool
	// where that WarmPool warms the target. warmedBy is empty where this Forecast is the one that
	// is warmed, and where none is.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	WarmedBy string `json:"warmedBy,omitempty"`
	// replicas is the number of replicas of the target that exist now, Ready or starting.
	// +optional
	Replicas int32 `json:"replicas,omitempty"`
	// needed is the largest number of replicas in the plan, up to the time at which a node that is
	// requested now could have the image.
	// +optional
	Needed int32 `json:"needed,omitempty"`
	// hold is the number of replicas that nodes are to be held for now: needed minus replicas,
	// minus the savings of Forecasts that share a node pool, within the limits.
	// +optional
	Hold int32 `json:"hold,omitempty"`
	// held is the number of replicas that nodes with the image are held for.
	// +optional
	Held int32 `json:"held,omitempty"`
	// imageNodes is the number of nodes that are to have the image now.
	// +optional
	ImageNodes int32 `json:"imageNodes,omitempty"`
	// imageNodesReady is the number of those nodes that have the image. A node has it where it
	// lists the image. A node that lists only its fifty largest images has it after a successful
	// pull, too.
	// +optional
	ImageNodesReady int32 `json:"imageNodesReady,omitempty"`
	// most is the largest number of replicas that there can be if no other service needed any, where
	// that is known.
	// +optional
	Most *int32 `json:"most,omitempty"`
	// mostBy is what bounds most: Nodes, Pool or Quota.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	MostBy string `json:"mostBy,omitempty"`
	// nodeLead is how far ahead of the plan a node is requested. It is given, learned or assumed.
	// +optional
	NodeLead Duration `json:"nodeLead,omitempty"`
	// imageLead is how far ahead of that the image is pulled. It is given, learned or assumed.
	// +optional
	ImageLead Duration `json:"imageLead,omitempty"`
	// learnedNodeLead is how long a node takes to start, as last learned from the starts that
	// waited for one. It is kept while a lead is given or nothing is warmed, and is used again
	// afterwards. It is empty until it has been learned.
	// +optional
	LearnedNodeLead Duration `json:"learnedNodeLead,omitempty"`
	// learnedImageLead is how long a pull takes, as last learned from the starts that pulled. It is
	// kept in the same way.
	// +optional
	LearnedImageLead Duration `json:"learnedImageLead,omitempty"`
	// weightsBy is what loads the weights: LocalModelCache, DataLoad, Job, or empty for nothing.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	WeightsBy string `json:"weightsBy,omitempty"`
	// weights is Idle while no rise is ahead. Then it is Loading, or Due in mode DryRun, which
	// loads nothing, and afterwards Warm or Failed.
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
	// message says what prevents this Forecast from being warmed, and what to do about it.
	// +optional
	// +kubebuilder:validation:MaxLength=512
	Message string `json:"message,omitempty"`
}
