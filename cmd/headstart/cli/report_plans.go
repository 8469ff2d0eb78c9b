package cli

import (
	"bytes"
	"encoding/json"

	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report"
)

// collectPlans collects the plans of a replay for --plans. The returned function writes them to the
// file, one JSON object per line, each as in a Forecast's status.
func (o *reportOptions) collectPlans(options *report.Options) (write func() error) {
	if o.plans == "" {
		return func() error { return nil }
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	var encodeErr error
	options.Plans = func(p plan.Plan) {
		if err := lines.Encode(p.Encode()); err != nil && encodeErr == nil {
			encodeErr = err
		}
	}
	return func() error {
		if encodeErr != nil {
			return encodeErr
		}
		return writeFile(o.plans, b.Bytes())
	}
}
