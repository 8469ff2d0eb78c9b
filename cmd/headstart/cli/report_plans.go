package cli

import (
	"bytes"
	"encoding/json"

	"headstart.dev/headstart/planner/plan"
	"headstart.dev/headstart/report"
)

// collectPlans has a replay hand over its plans, where --plans asks for them. The returned function writes them to the file, each as a
// Forecast's status would have it, one a line.
func (o *reportOptions) collectPlans(options *report.Options) (write func() error) {
	if o.plans == "" {
		return func() error { return nil }
	}
	var b bytes.Buffer
	lines := json.NewEncoder(&b)
	var failed error
	options.Plans = func(p plan.Plan) {
		if err := lines.Encode(p.Encode()); err != nil && failed == nil {
			failed = err
		}
	}
	return func() error {
		if failed != nil {
			return failed
		}
		return writeWhole(o.plans, b.Bytes())
	}
}
