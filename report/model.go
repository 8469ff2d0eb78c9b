package report

import "math"

// Model says what the forecast rested on at the end.
type Model struct {
	Skill          float64       `json:"skill"`
	PeriodSeconds  []float64     `json:"periodSeconds"`
	Weights        []ModelWeight `json:"weights"`
	SkilledShare   float64       `json:"skilledShare"`
	WindowsCovered float64       `json:"windowsCovered"`
	StepsCovered   float64       `json:"stepsCovered"`
	Warnings       []string      `json:"warnings,omitempty"`
}

// ModelWeight is the share of one model.
type ModelWeight struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

// model describes the forecaster at the end, and how often it kept what it was asked for.
func (r *Report) model() *Model {
	d := r.replay.Final
	m := &Model{Skill: d.Skill, Warnings: d.Warnings, SkilledShare: ratio(float64(r.replay.Skilled), float64(len(r.replay.Served)))}
	for _, p := range d.Periods {
		m.PeriodSeconds = append(m.PeriodSeconds, p.Seconds())
	}
	for _, w := range d.Models {
		m.Weights = append(m.Weights, ModelWeight{Model: w.Model, Share: w.Share})
	}
	t := r.trace
	peak := forwardMax(t.held[t.from:], t.lead)
	var windows, covered, steps, enough float64
	for i, served := range r.replay.Served {
		if math.IsNaN(served) || math.IsNaN(t.raw[t.from+i]) {
			continue
		}
		steps++
		if served >= t.raw[t.from+i] {
			enough++
		}
		if i+t.lead < len(peak) {
			windows++
			if served >= peak[i] {
				covered++
			}
		}
	}
	m.WindowsCovered, m.StepsCovered = ratio(covered, windows), ratio(enough, steps)
	return m
}
