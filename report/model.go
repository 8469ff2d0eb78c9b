package report

import (
	"math"

	"headstart.dev/headstart/report/internal/slide"
)

// Model describes the forecast at the end of the replay, and how well the plan kept the contract.
type Model struct {
	// Skill is the skill at the end. A forecast with a skill below 0 is not served.
	Skill float64 `json:"skill"`
	// PeriodSeconds are the seasons of the demand, shortest first.
	PeriodSeconds []float64 `json:"periodSeconds"`
	// Weights are the shares of the models in the forecast.
	Weights []ModelWeight `json:"weights"`
	// SkilledShare is the share of the steps at which the forecast was served.
	SkilledShare float64 `json:"skilledShare"`
	// WindowsCovered and StepsCovered are the shares of the lead windows, and of the steps, that
	// the served demand covered.
	WindowsCovered float64 `json:"windowsCovered"`
	StepsCovered   float64 `json:"stepsCovered"`
	// Warnings are the forecaster's own.
	Warnings []string `json:"warnings,omitempty"`
}

// ModelWeight is the share of one model.
type ModelWeight struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

func (r *Report) model() *Model {
	d := r.replay.Final
	m := &Model{
		Skill: d.Skill, Warnings: d.Warnings,
		SkilledShare: ratio(float64(r.replay.Skilled), float64(len(r.replay.Served))),
	}
	for _, p := range d.Periods {
		m.PeriodSeconds = append(m.PeriodSeconds, p.Seconds())
	}
	for _, w := range d.Models {
		m.Weights = append(m.Weights, ModelWeight{Model: w.Model, Share: w.Share})
	}
	m.WindowsCovered, m.StepsCovered, r.windows = r.coverage()
	return m
}

// coverage returns the shares of the lead windows and of the steps that the served demand covered,
// and the number of these windows.
// Steps without a value are not counted, nor are windows that reach beyond the input.
func (r *Report) coverage() (windowShare, stepShare, windows float64) {
	t := r.trace
	largest := slide.ForwardMax(t.filled[t.from:], t.lead) // in each lead window
	var windowsCovered, steps, stepsCovered float64
	for i, served := range r.replay.Served {
		demand := t.raw[t.from+i]
		if math.IsNaN(served) || math.IsNaN(demand) {
			continue
		}
		steps++
		if served >= demand {
			stepsCovered++
		}
		if i+t.lead < len(largest) {
			windows++
			if served >= largest[i] {
				windowsCovered++
			}
		}
	}
	return ratio(windowsCovered, windows), ratio(stepsCovered, steps), windows
}
