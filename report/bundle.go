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
