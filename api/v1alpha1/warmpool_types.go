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

// WarmPoolSpec is what may be warmed.
type WarmPoolSpec struct {
	// forecastSelector picks the Forecasts of this namespace by label; {} picks all.
	// +required
	ForecastSelector metav1.LabelSelector `json:"forecastSelector"`
	// mode is Active or DryRun.
	// +optional
	// +kubebuilder:default=Active
	Mode WarmPoolMode `json:"mode,omitempty"`
	// limits bound what is held, by resource name, such as nvidia.com/gpu.
	// +optional
	Limits map[string]resource.Quantity `json:"limits,omitempty"`
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
	// placeholders that hold nodes now.
	// +optional
	Placeholders int32 `json:"placeholders,omitempty"`
}
