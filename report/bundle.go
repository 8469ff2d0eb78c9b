package report

// BundleSchema is the version of the JSON form of a Bundle.
const BundleSchema = "headstart.dev/reports/v1alpha1"

// Bundle is the reports of several Forecasts.
type Bundle struct {
	// Schema names the version of the JSON form.
	Schema string `json:"schema"`
	// Title says which Forecasts they are, such as "namespace shop".
	Title string `json:"title"`
	// Reports has one element for each Forecast.
	Reports []Bundled `json:"reports"`
}

// Bundled is the report of one Forecast.
type Bundled struct {
	// Name is NAMESPACE/NAME of the Forecast.
	Name string `json:"name"`
	// Report is nil if the Forecast could not be replayed.
	Report *Report `json:"report,omitempty"`
	// NotRun says why the Forecast was not replayed, or only in part.
	NotRun string `json:"notRun,omitempty"`
}

// NewBundle returns a Bundle of reports.
func NewBundle(title string, reports []Bundled) *Bundle {
	return &Bundle{Schema: BundleSchema, Title: title, Reports: reports}
}

// DropSteps drops what is kept for each step. The report can still be written as JSON.
func (r *Report) DropSteps() {
	for i := range r.Policies {
		p := &r.Policies[i]
		p.Paid, p.Ready, p.TunedReady, p.desired = nil, nil, nil, nil
	}
	r.Steps, r.trace, r.replay, r.options = Steps{}, nil, nil, Options{}
}

// KeepFigures drops all but the figures and the advice: a few kilobytes. So a report on thousands
// of services fits into memory.
func (r *Report) KeepFigures() {
	r.DropSteps()
	for i := range r.Policies {
		r.Policies[i].Frontier = nil
	}
	r.Brief, r.Proposal, r.Objective, r.Sweep, r.Model = true, nil, nil, nil, nil
}

// Saved returns how many replica-hours Headstart saves at the service of today. It is 0 if that is
// not known.
func (r *Report) Saved() float64 {
	if r.Baseline == nil || r.Baseline.HeadstartHours == nil {
		return 0
	}
	return r.Baseline.ReplicaHours - *r.Baseline.HeadstartHours
}
