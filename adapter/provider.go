package adapter

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	"k8s.io/utils/clock"
	cmaprovider "sigs.k8s.io/custom-metrics-apiserver/pkg/provider"

	"headstart.dev/headstart/api/v1alpha1"
)

// DemandMetric is the name of the Object metric on a Forecast.
const DemandMetric = "demand"

// forecastResource is the resource in the path of a custom metric.
var forecastResource = schema.GroupResource{Group: v1alpha1.GroupName, Resource: forecasts}

// provider serves both APIs from Metrics.
type provider struct {
	metrics     Metrics
	clock       clock.PassiveClock
	instruments *instruments
}

var (
	_ cmaprovider.ExternalMetricsProvider = (*provider)(nil)
	_ cmaprovider.CustomMetricsProvider   = (*provider)(nil)
)

// GetExternalMetric implements [cmaprovider.ExternalMetricsProvider]. It serves the Forecast with
// the metric's name; a selector that does not match the Forecast's labels hides it.
func (p *provider) GetExternalMetric(_ context.Context, namespace string, selector labels.Selector,
	info cmaprovider.ExternalMetricInfo,
) (*external_metrics.ExternalMetricValueList, error) {
	value, err := p.value(apiExternal, namespace, info.Metric, selector)
	if err != nil {
		return nil, err
	}
	return &external_metrics.ExternalMetricValueList{Items: []external_metrics.ExternalMetricValue{{
		MetricName: info.Metric,
		Timestamp:  metav1.NewTime(value.ComputedAt),
		Value:      *resource.NewMilliQuantity(value.Milli, resource.DecimalSI),
	}}}, nil
}

// ListAllExternalMetrics implements [cmaprovider.ExternalMetricsProvider], for discovery. It
// returns one resource, which does not depend on the Forecasts.
func (p *provider) ListAllExternalMetrics() []cmaprovider.ExternalMetricInfo {
	return []cmaprovider.ExternalMetricInfo{{Metric: forecasts}}
}

// GetMetricByName implements [cmaprovider.CustomMetricsProvider]. It serves the metric "demand" of
// one Forecast.
func (p *provider) GetMetricByName(_ context.Context, name types.NamespacedName, info cmaprovider.CustomMetricInfo,
	metricSelector labels.Selector,
) (*custom_metrics.MetricValue, error) {
	if err := p.checkMetric(info, name.Namespace, name.Name); err != nil {
		return nil, err
	}
	value, err := p.value(apiCustom, name.Namespace, name.Name, metricSelector)
	if err != nil {
		return nil, err
	}
	item := metricValue(name.Namespace, name.Name, value)
	return &item, nil
}

// GetMetricBySelector implements [cmaprovider.CustomMetricsProvider]. It serves the metric "demand"
// of every selected Forecast that has a value. It returns an error when none has: an autoscaler
// would read an empty list as "no demand".
func (p *provider) GetMetricBySelector(_ context.Context, namespace string, selector labels.Selector,
	info cmaprovider.CustomMetricInfo, metricSelector labels.Selector,
) (*custom_metrics.MetricValueList, error) {
	if err := p.checkMetric(info, namespace, "*"); err != nil {
		return nil, err
	}
	list := &custom_metrics.MetricValueList{}
	var first error
	for _, name := range p.metrics.Names(namespace, selector) {
		value, err := p.value(apiCustom, namespace, name, metricSelector)
		if err != nil {
			first = cmp.Or(first, err)
			continue
		}
		list.Items = append(list.Items, metricValue(namespace, name, value))
	}
	if len(list.Items) > 0 {
		return list, nil
	}
	if first == nil {
		first = p.fail(apiCustom, &Unavailable{
			Reason:  ReasonNotFound,
			Message: fmt.Sprintf("the selector %q matches no Forecast of the namespace", selector),
		}, namespace, "*")
	}
	return nil, first
}

// ListAllMetrics implements [cmaprovider.CustomMetricsProvider], for discovery. It returns one
// resource, which does not depend on the Forecasts.
func (p *provider) ListAllMetrics() []cmaprovider.CustomMetricInfo {
	return []cmaprovider.CustomMetricInfo{{GroupResource: forecastResource, Namespaced: true, Metric: DemandMetric}}
}

// checkMetric fails for a custom metric that is not "demand" of a Forecast.
func (p *provider) checkMetric(info cmaprovider.CustomMetricInfo, namespace, name string) error {
	if info.GroupResource == forecastResource && info.Metric == DemandMetric && namespace != "" {
		return nil
	}
	return p.fail(apiCustom, &Unavailable{
		Reason: ReasonNotFound,
		Message: fmt.Sprintf("%s has no metric %q here; ask for namespaces/NAMESPACE/%s/NAME/%s",
			info.GroupResource, info.Metric, forecastResource, DemandMetric),
	}, namespace, name)
}

// value looks one Forecast up, counts the result, and turns an error into the Status to answer with.
func (p *provider) value(api, namespace, name string, selector labels.Selector) (Value, error) {
	value, err := p.lookup(api, namespace, name, selector)
	if err != nil {
		return Value{}, statusOf(err, namespace, name)
	}
	return value, nil
}

// lookup looks one Forecast up, and counts the result.
func (p *provider) lookup(api, namespace, name string, selector labels.Selector) (Value, error) {
	start := p.clock.Now()
	value, err := p.metrics.Value(namespace, name, start)
	if err == nil && selector != nil && !selector.Empty() && !selector.Matches(labels.Set(value.Labels)) {
		err = &Unavailable{
			Reason:  ReasonNotFound,
			Message: fmt.Sprintf("its labels do not match the metric's selector %q", selector),
		}
	}
	if err != nil {
		p.instruments.countFailed(api, err)
		return Value{}, err
	}
	value.Milli = min(max(value.Milli, 0), MaxMilli)
	if value.ComputedAt.After(start) {
		value.ComputedAt = start // another machine's clock is ahead; an age is never negative
	}
	p.instruments.countServed(api, start.Sub(value.ComputedAt), p.clock.Since(start))
	return value, nil
}

// fail counts err, and turns it into the Status to answer with.
func (p *provider) fail(api string, err error, namespace, name string) error {
	p.instruments.countFailed(api, err)
	return statusOf(err, namespace, name)
}

// metricValue is a value of one Forecast as an item of the custom metrics API.
func metricValue(namespace, name string, value Value) custom_metrics.MetricValue {
	return custom_metrics.MetricValue{
		DescribedObject: custom_metrics.ObjectReference{
			APIVersion: v1alpha1.GroupVersion.String(),
			Kind:       "Forecast",
			Namespace:  namespace,
			Name:       name,
		},
		Metric:    custom_metrics.MetricIdentifier{Name: DemandMetric},
		Timestamp: metav1.NewTime(value.ComputedAt),
		Value:     *resource.NewMilliQuantity(value.Milli, resource.DecimalSI),
	}
}
