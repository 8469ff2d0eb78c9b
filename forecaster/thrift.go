package forecaster

// rareFits is how many fit intervals lie between two fits under Thrift.RarerFits.
const rareFits = 4

// Thrift is what a Forecaster goes without where memory or time is short. What it forecasts then is
// calibrated as ever, and a little worse.
type Thrift struct {
	// FewerModels leaves out the models that take the most memory and time to fit.
	FewerModels bool
	// RarerFits fits a series that is not young every fourth fit interval only.
	RarerFits bool
}

// SetThrift changes what the next fits go without.
func (f *Forecaster) SetThrift(t Thrift) {
	f.opts.lean, f.rarer = t.FewerModels, t.RarerFits
}

// postpones reports whether the fit at step n of the series is left out.
func (f *Forecaster) postpones(n int) bool {
	interval := int(FitInterval(f.opts.Step) / f.opts.Step)
	return f.rarer && n > youngIntervals*interval && n-f.state.fittedAt < rareFits*interval
}
