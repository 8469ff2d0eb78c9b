package warmer

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"headstart.dev/headstart/api/v1alpha1"
	"headstart.dev/headstart/gpuwarm/warmer/allocate"
	"headstart.dev/headstart/gpuwarm/warmer/images"
	"headstart.dev/headstart/gpuwarm/warmer/internal/kube"
	"headstart.dev/headstart/gpuwarm/warmer/weights"
	"headstart.dev/headstart/internal/conditions"
)

var kindOfPolicy = map[v1alpha1.WarmNodesPolicy]schema.GroupVersionKind{
	v1alpha1.WarmNodesCapacityBuffer:      kube.CapacityBuffer,
	v1alpha1.WarmNodesProvisioningRequest: kube.ProvisioningRequest,
}

var kindOfLoad = map[string]schema.GroupVersionKind{
	weights.ByModelCache: kube.LocalModelCache, weights.ByDataLoad: kube.DataLoad,
}

// about is what a problem is about.
type about string

const (
	aboutNodes   about = "nodes"
	aboutImages  about = "images"
	aboutPulls   about = "pulls"
	aboutWeights about = "weights"
	aboutLeft    about = "left"   // what was made and is not wanted any more
	aboutQuotas  about = "quotas" // rights in the WarmPool's namespace
)

// problem is why something is not as it is to be.
type problem struct {
	about           about  // empty for a note to the Forecast alone
	reason, message string // reason of a condition
	ofForecast      bool   // the Forecast's message says it too
}

// outcome is what came of the work for one Forecast.
type outcome struct {
	name, of string // of the Forecast, and as the end of a phrase
	problems []problem
	err      error // what time alone may fix: it slows the looks down

	holds        bool // it holds what it is to, or is denied some of that
	byAutoscaler bool
	placeholders int
	unmet        string          // why nodes are missing, as far as the cluster says so
	history      *images.History // of the image's pulls
	released     bool            // nothing is held for it any more
	weights      string          // how they stand
	loads        bool            // weights count in the condition
}

func newOutcome(w *allocate.Work) *outcome {
	return &outcome{name: w.Forecast.Name, of: " for Forecast " + w.Forecast.Name}
}

// note adds a message to the Forecast alone.
func (out *outcome) note(message string) {
	out.problems = append(out.problems, problem{message: message, ofForecast: true})
}

// fails adds a problem with something that was made, where there is one.
func (out *outcome) fails(a about, reason, message string) {
	if message != "" {
		out.problems = append(out.problems, problem{a, reason, message, true})
	}
}

// missing adds that the cluster does not serve an API that a field names.
func (out *outcome) missing(a about, field, api string) {
	out.fails(a, reasonMissing, fmt.Sprintf("%s asks for %s, and the cluster has no such API: install what serves it, "+
		"or ask for another way", field, api))
}

// denied adds the errors that only a person can fix, and returns the others.
func (out *outcome) denied(a about, what string, err error) error {
	var others []error
	for _, err := range kube.Each(err) {
		reason, remedy, known := kube.Remedy(err)
		if !known {
			others = append(others, err)
			continue
		}
		out.fails(a, reason, fmt.Sprintf("%s for %s: %s: %s", what, out.name, brief(err), remedy))
	}
	return errors.Join(others...)
}

// settleRemoval adds the errors of a removal. The Forecast's message does not say them.
func (out *outcome) settleRemoval(what string, err error) {
	out.add(aboutLeft, what, "what was made before is left", err, false)
}

// settleFor adds the errors of a step that the Forecast's message says.
func (out *outcome) settleFor(a about, what string, err error) {
	out.add(a, what, "what was made before is left", err, true)
}

// add adds the errors of a step as problems. What time alone may fix becomes part of the outcome's
// error. Each error is taken by itself, so that a denial does not hide an outage. consequence is
// what a denial means.
func (out *outcome) add(a about, what, consequence string, err error, ofForecast bool) {
	for _, err := range kube.Each(err) {
		reason, remedy, known := kube.Remedy(err)
		message := fmt.Sprintf("%s: %s: %s: %s", what, consequence, brief(err), remedy)
		if !known {
			reason = reasonFailed
			message = fmt.Sprintf("%s: %s: it is tried again, at least once a minute", what, brief(err))
			out.err = errors.Join(out.err, fmt.Errorf("%s: %w", what, err))
		}
		out.problems = append(out.problems, problem{a, reason, message, ofForecast})
	}
}

// brief returns an error that is short enough to leave room for what to do about it.
func brief(err error) string { return conditions.Clip(err.Error(), 300) }

// clip shortens a message to what the API accepts in status.forecasts.
func clip(message string) string { return conditions.Clip(message, 512) }
