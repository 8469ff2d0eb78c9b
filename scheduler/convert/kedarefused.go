package convert

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// forecastOf says which Forecast a trigger reads; empty where it reads none.
func forecastOf(t kedaTrigger) string {
	if t.Type != "external" && t.Type != "external-push" {
		return ""
	}
	if name := strings.TrimSpace(string(t.Metadata["forecast"])); name != "" {
		return "the Forecast " + name
	}
	if variable := strings.TrimSpace(string(t.Metadata["forecastFromEnv"])); variable != "" {
		return "the Forecast that the environment variable " + variable + " names"
	}
	return ""
}

// readsForecast reports whether a ScaledObject reads a Forecast already. A second one of its own
// would replace the first, or scale beside it. The error says what to do with its cron triggers.
func (s *source) readsForecast(triggers []kedaTrigger) (bool, error) {
	i := slices.IndexFunc(triggers, func(t kedaTrigger) bool { return forecastOf(t) != "" })
	if i < 0 {
		return false, nil
	}
	forecast := forecastOf(triggers[i])
	if slices.ContainsFunc(triggers, func(t kedaTrigger) bool { return t.Type == "cron" }) {
		return true, fmt.Errorf("it reads %s already: declare its cron triggers in a PeakSchedule of that Forecast, "+
			"and remove them", forecast)
	}
	s.note("it reads %s already and has no cron trigger, so there is nothing to convert", forecast)
	return true, nil
}

// errFormula is why a ScaledObject with a formula does not stay one.
var errFormula = errors.New("its advanced.scalingModifiers.formula makes one metric of its triggers: KEDA refuses " +
	"a formula that names a removed cron trigger, and with any other formula the HPA does not see the new trigger. " +
	"Remove the formula first, or use --door external")
