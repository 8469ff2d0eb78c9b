package report

// BundleSchema of the JSON form of a Bundle.
const BundleSchema = "headstart.dev/reports/v1alpha1"

// Bundle is the dry runs of several Forecasts.
type Bundle struct {
	// Schema names the form of the JSON.
	Schema string `json:"schema"`
	// Title says whose they are.
	Title string `json:"title"`
	// Reports, in order.
	Reports []Bundled `json:"reports"`
}

// Bundled is one of them: a report, or why there is none.
type Bundled struct {
	Name   string  `json:"name"`
	Report *Report `json:"report,omitempty"`
	// NotRun says why there is no report.
	NotRun string `json:"notRun,omitempty"`
}

// NewBundle of reports.
func NewBundle(title string, reports []Bundled) *Bundle {
	return &Bundle{Schema: BundleSchema, Title: title, Reports: reports}
}
