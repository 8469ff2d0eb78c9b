package convert

import (
	"strings"
	"testing"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// forecastTrigger makes a trigger that reads a Forecast.
func forecastTrigger(kind, metadata string) string {
	return "{type: " + kind + ", metadata: {scalerAddress: 'headstart-scaler.headstart-system.svc:9443', " +
		metadata + "}}"
}

// TestScaledObjectRefused checks which ScaledObjects are not converted, with every door.
func TestScaledObjectRefused(t *testing.T) {
	daytime := cronTrigger(daytimeStart, daytimeEnd, "5")
	formula := func(text string) string {
		return "advanced: {scalingModifiers: {target: '5', formula: " + text + "}}, "
	}
	cases := map[string]struct {
		reason, text string
		doors        []door.Door
		err, note    string // one of them
	}{
		"ReadsForecast": {
			"a new Forecast of its name would lose what the old one has, such as provisionFor",
			scaledObject("", forecastTrigger("external-push", "forecast: llm"), daytime, promTrigger(requestRate, "5")),
			[]door.Door{"", door.KEDA, door.External, door.Object},
			"it reads the Forecast llm already: declare its cron triggers in a PeakSchedule of that Forecast, " +
				"and remove them", "",
		},
		"ReadsForecastByPolling": {
			"the type external reads it too, after the cron trigger as before it",
			scaledObject("", daytime, forecastTrigger("external", "forecast: ' llm '")),
			[]door.Door{""},
			"it reads the Forecast llm already", "",
		},
		"ReadsForecastOfEnvironment": {
			"a key that ends in FromEnv names a variable of the target",
			scaledObject("", daytime, forecastTrigger("external-push", "forecastFromEnv: FORECAST")),
			[]door.Door{""},
			"it reads the Forecast that the environment variable FORECAST names already", "",
		},
		"ReadsForecastWithoutCron": {
			"a second conversion of a cluster has no fault where nothing is left to convert",
			scaledObject("", forecastTrigger("external-push", "forecast: llm"), promTrigger(requestRate, "5")),
			[]door.Door{"", door.KEDA, door.External, door.Object},
			"", "it reads the Forecast llm already and has no cron trigger, so there is nothing to convert",
		},
		"Formula": {
			"KEDA refuses a formula that names a trigger which is not there",
			scaledObject(formula("'max(day, requests)'"), daytime, promTrigger(requestRate, "5")),
			[]door.Door{"", door.KEDA},
			"Remove the formula first, or use --door external", "",
		},
		"FormulaOfOtherTriggers": {
			"the HPA has one metric, that of the formula, and never asks the new trigger",
			scaledObject(formula("requests + 1"), promTrigger(requestRate, "5")),
			[]door.Door{"", door.KEDA},
			"the HPA does not see the new trigger. Remove the formula first", "",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			objects, err := manifest.Read(strings.NewReader(tc.text))
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range tc.doors {
				result, err := Convert(objects, Options{Door: d})
				if (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
					t.Errorf("\nReason: %s\ndoor %q: error %v, want %q", tc.reason, d, err, tc.err)
				}
				if tc.note != "" && (len(result.Notes) != 1 || result.Notes[0].Text != tc.note) {
					t.Errorf("\nReason: %s\ndoor %q: notes %v, want %q", tc.reason, d, result.Notes, tc.note)
				}
				if len(result.Objects) > 0 {
					t.Errorf("\nReason: %s\ndoor %q: it is converted: %v", tc.reason, d, result.Objects)
				}
			}
		})
	}
}

// An HPA has no formula, so the error's remedy works, and a note names what is lost.
func TestFormulaToHPA(t *testing.T) {
	text := scaledObject("advanced: {scalingModifiers: {target: '5', formula: day}}, ",
		cronTrigger(daytimeStart, daytimeEnd, "5"))
	objects, notes, err := converted(t, text)
	if err != nil || !strings.Contains(objects, "replicas: 5") ||
		!strings.Contains(notes, "no equivalent: spec.advanced.scalingModifiers") {
		t.Errorf("error %v, and these objects and notes:\n%s\n%s", err, objects, notes)
	}
}

// An external scaler that is not Headstart's is a trigger as any other.
func TestOtherExternalScaler(t *testing.T) {
	text := scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "5"),
		"{type: external, metadata: {scalerAddress: 'queue:9000'}}", "{type: predictkube, metadata: {forecast: x}}")
	objects, notes, err := converted(t, text)
	if err != nil || !strings.Contains(objects, "replicas: 5") {
		t.Errorf("error %v, and these objects and notes:\n%s\n%s", err, objects, notes)
	}
}
