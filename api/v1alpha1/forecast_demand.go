package v1alpha1

import (
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// DefaultSource is the name of the Prometheus that is asked where a spec names none.
const DefaultSource = "default"

// DemandSource is the source of the demand series of a service: one query, or the weighted sum of
// several.
//
// +kubebuilder:validation:XValidation:rule="has(self.prometheus) != has(self.terms)",message="give exactly one of prometheus (one query) and terms (the weighted sum of several)"
// +kubebuilder:validation:XValidation:rule="!has(self.weights) || self.weights != 'Learned' || has(self.terms) && size(self.terms) >= 2",message="weights Learned needs two terms or more"
// +kubebuilder:validation:XValidation:rule="!has(self.source) || has(self.terms)",message="source is that of terms: write prometheus.source beside prometheus.query"
type DemandSource struct {
	// prometheus is a PromQL query that returns exactly one series.
	// +optional
	Prometheus PrometheusQuery `json:"prometheus,omitzero"`
	// terms make demand the weighted sum of several queries, where one query does not measure work:
	// such as prompt tokens and generated tokens. Where one of them has no value, demand has none.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Terms []DemandTerm `json:"terms,omitempty"`
	// weights is Fixed (the weights of terms, as they are) or Learned: how much each term counts follows
	// from the latency in capacity.objective, and the weights of terms count until there is evidence.
	// Without it, that is Fixed.
	// +optional
	Weights DemandWeightsMode `json:"weights,omitempty"`
	// source is the name of the Prometheus in the server's configuration file that answers terms.
	// Without it, that is default.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
	// resolution is the step of the series.
	// +optional
	// +kubebuilder:default="1m"
	Resolution Duration `json:"resolution,omitempty"`
	// history is how far back the series is read.
	// +optional
	// +kubebuilder:default="28d"
	History Duration `json:"history,omitempty"`
	// settle is how old a sample must be before it is read. Newer samples are still incomplete.
	// +optional
	// +kubebuilder:default="30s"
	Settle Duration `json:"settle,omitempty"`
}

// PrometheusQuery is a query and the Prometheus that answers it.
type PrometheusQuery struct {
	// query is PromQL that returns one series: the demand, in the user's unit.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// source is the name of a Prometheus in the server's configuration file.
	// +optional
	// +kubebuilder:default=default
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Source string `json:"source,omitempty"`
}

// DemandTerm is one of several queries whose weighted sum is demand.
type DemandTerm struct {
	// query is PromQL. Where it returns several series, their sum counts.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=4096
	Query string `json:"query"`
	// weight is how much a unit of the query counts, above 0. Where weights are learned, it counts until
	// there is evidence, and a learned weight is a tenth of it to ten times as much.
	// +required
	// +kubebuilder:validation:XValidation:rule="self.matches('[1-9]')",message="weight must be above 0, such as \"0.25\""
	Weight Decimal `json:"weight"`
}

// DemandWeightsMode says how the weights of terms are known.
//
// +kubebuilder:validation:Enum=Fixed;Learned
type DemandWeightsMode string

// The modes of weights.
const (
	WeightsFixed   DemandWeightsMode = "Fixed"
	WeightsLearned DemandWeightsMode = "Learned"
)

// DemandWeights are learned weights of the terms of a demand.
type DemandWeights struct {
	// values are the weights in use, in the order of spec.demand.terms. The query for demand, the plan
	// and the capacity in this status are made with them.
	// +required
	// +listType=atomic
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=8
	Values []Decimal `json:"values"`
	// since is when they came into use.
	// +required
	Since metav1.Time `json:"since"`
	// days is how many days they were judged on, beside the weights before them.
	// +optional
	Days int32 `json:"days,omitempty"`
	// betterDays is on how many of days latency followed the load better with them.
	// +optional
	BetterDays int32 `json:"betterDays,omitempty"`
	// gain is which share less of the latency they left unexplained.
	// +optional
	Gain Decimal `json:"gain,omitempty"`
	// termsHash is a short hash of the terms that they were learned of. Once spec.demand has others,
	// the weights of the spec count.
	// +optional
	// +kubebuilder:validation:MaxLength=16
	TermsHash string `json:"termsHash,omitempty"`
}

// PromQL returns the query for demand: the one of prometheus, or the weighted sum of terms. A term
// whose weight is no number makes no valid query.
func (d *DemandSource) PromQL() string {
	if len(d.Terms) == 0 {
		return d.Prometheus.Query
	}
	var terms []string
	for _, t := range d.Terms {
		weight := string(t.Weight)
		if w, err := t.Weight.Parse(); err == nil {
			weight = strconv.FormatFloat(w, 'f', -1, 64) // PromQL reads 010 as 8.
		}
		// Sums have no labels, so they can be added. A query may end in a comment.
		terms = append(terms, weight+" * sum(\n"+t.Query+"\n)")
	}
	return strings.Join(terms, " + ")
}

// SourceName returns the name of the Prometheus that answers the query for demand.
func (d *DemandSource) SourceName() string {
	name := d.Prometheus.Source
	if len(d.Terms) > 0 {
		name = d.Source
	}
	if name == "" {
		return DefaultSource
	}
	return name
}
