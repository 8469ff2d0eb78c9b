// Package describe writes what a model is in the words of a status.
package describe

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/controller/internal/kube"
	"headstart.dev/headstart/forecaster"
)

// Model describes the model of a forecast for status, with the 16 heaviest models.
func Model(d forecaster.Description) *v1alpha1.ModelStatus {
	out := &v1alpha1.ModelStatus{Points: int32(min(d.Points, math.MaxInt32))} //nolint:gosec // bounded
	if !d.FittedAt.IsZero() {
		at := kube.MetaTime(d.FittedAt)
		out.FittedAt = &at
	}
	for _, p := range d.Periods[:min(len(d.Periods), 4)] {
		out.Periods = append(out.Periods, v1alpha1.FormatDuration(p))
	}
	if !math.IsNaN(d.Skill) && !math.IsInf(d.Skill, 0) {
		out.Skill = Figure(d.Skill)
	}
	if !math.IsNaN(d.Coverage) {
		out.Coverage = Figure(d.Coverage)
	}
	models := slices.Clone(d.Models)
	slices.SortStableFunc(models, func(a, b forecaster.Weight) int { return cmp.Compare(b.Share, a.Share) })
	for _, w := range models[:min(len(models), 16)] {
		weight := v1alpha1.FormatDecimal(math.Max(0, w.Share), 3)
		out.Weights = append(out.Weights, v1alpha1.ModelWeight{Name: w.Model, Weight: weight})
	}
	out.Warnings = slices.Clone(d.Warnings[:min(len(d.Warnings), 8)])
	return out
}

// Figure formats a figure of the status with three digits after the decimal point. Figures
// beyond ±1,000,000 are cut to that.
func Figure(f float64) string {
	if math.Abs(f) > 1e6 {
		return strconv.FormatFloat(math.Copysign(1e6, f), 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 3, 64)
}
