package model

import (
	"k8s.io/apimachinery/pkg/api/resource"

	"headstart.dev/headstart/api/v1alpha1"
)

// Learned is what was learned about the capacity of a replica. Figures are in the unit of demand.
type Learned struct {
	// Value is what plan and metric are made with, and Source where it is from.
	Value  *float64 `json:"value"`
	Source string   `json:"source"`
	// Estimate is the largest load at which the objective is met, or more where AtLeast is set.
	// Lower is its lower confidence bound.
	Estimate *float64 `json:"estimate"`
	Lower    *float64 `json:"lower"`
	AtLeast  bool     `json:"atLeast"`
	// Steps have taught, and Missed of them missed the objective.
	Steps  int32 `json:"steps"`
	Missed int32 `json:"missed"`
}

func learnedOf(c *v1alpha1.LearnedCapacity) *Learned {
	if c == nil {
		return nil
	}
	return &Learned{
		Value: number(c.Value), Source: string(c.Source), Estimate: numberOf(c.Estimate), Lower: numberOf(c.Lower),
		AtLeast: c.AtLeast, Steps: c.Steps, Missed: c.Missed,
	}
}

func numberOf(q *resource.Quantity) *float64 {
	if q == nil {
		return nil
	}
	return number(*q)
}
