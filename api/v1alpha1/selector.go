package v1alpha1

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// ParseSelector parses the label selector of a field; field is its path, such as
// spec.forecastSelector. A nil selector selects nothing, an empty one everything. The error is a
// [*FieldError], and the selector that comes with it selects nothing.
func ParseSelector(field string, selector *metav1.LabelSelector) (labels.Selector, error) {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return labels.Nothing(), &FieldError{
			Field:  field,
			Remedy: fmt.Sprintf("%v: write matchLabels, or matchExpressions with In, NotIn, Exists or DoesNotExist", err),
		}
	}
	return parsed, nil
}

// Selector parses forecastSelector, see [ParseSelector]. Without one it selects nothing.
func (s *PeakScheduleSpec) Selector() (labels.Selector, error) {
	return ParseSelector("spec.forecastSelector", s.ForecastSelector)
}

// Selector parses forecastSelector, see [ParseSelector].
func (s *WarmPoolSpec) Selector() (labels.Selector, error) {
	return ParseSelector("spec.forecastSelector", &s.ForecastSelector)
}

// ForecastMatcher tells which Forecasts a PeakSchedule or a WarmPool is for. It is immutable and
// safe for concurrent use.
//
// +kubebuilder:object:generate=false
type ForecastMatcher struct {
	namespace string
	names     map[string]bool
	selector  labels.Selector
}

// Matches reports whether fc is in the same namespace and is named or selected by its labels.
func (m ForecastMatcher) Matches(fc *Forecast) bool {
	return fc.Namespace == m.namespace && (m.names[fc.Name] || m.selector.Matches(labels.Set(fc.Labels)))
}

// ForecastMatcher parses forecastRefs and forecastSelector. A selector that is invalid is an error
// ([*FieldError]) and selects nothing; the matcher that comes with the error still matches the
// Forecasts that forecastRefs names.
func (p *PeakSchedule) ForecastMatcher() (ForecastMatcher, error) {
	names := make(map[string]bool, len(p.Spec.ForecastRefs))
	for _, ref := range p.Spec.ForecastRefs {
		names[ref.Name] = true
	}
	selector, err := p.Spec.Selector()
	return ForecastMatcher{namespace: p.Namespace, names: names, selector: selector}, err
}

// ForecastMatcher parses forecastSelector. A selector that is invalid is an error ([*FieldError]),
// and the matcher that comes with it matches no Forecast.
func (p *WarmPool) ForecastMatcher() (ForecastMatcher, error) {
	selector, err := p.Spec.Selector()
	return ForecastMatcher{namespace: p.Namespace, selector: selector}, err
}
