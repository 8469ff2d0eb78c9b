package kinds_test

import (
	"strings"
	"testing"
	"time"
)

func TestAdmissionRefuses(t *testing.T) {
	ns := namespace(t)
	forecast := func(spec string) string {
		return "apiVersion: headstart.dev/v1alpha1\nkind: Forecast\nmetadata: {name: x, namespace: " + ns +
			"}\nspec:\n  targetRef: {apiVersion: apps/v1, kind: Deployment, name: model}\n" + spec
	}
	hourly := func(schedule, demand string) string {
		return "apiVersion: headstart.dev/v1alpha1\nkind: PeakSchedule\nmetadata: {name: x, namespace: " + ns +
			"}\nspec:\n  forecastSelector: {}\n  timeZone: Asia/Shanghai\n" +
			`  windows: [{name: a, schedule: "` + schedule + `", duration: 1h, demand: {` + demand + "}}]\n"
	}
	calendar := func(day string) string {
		return "apiVersion: headstart.dev/v1alpha1\nkind: Calendar\nmetadata: {name: x}\n" +
			"spec:\n  days: [{name: a, " + day + "}]\n"
	}
	cases := map[string]struct{ yaml, says string }{
		"ServiceLevelZero": {forecast(`  provisionFor: {serviceLevel: "0"}`), "serviceLevel must be from 0.5 to 0.9999"},
		"ServiceLevelOne":  {forecast(`  provisionFor: {serviceLevel: "1"}`), "serviceLevel must be from 0.5 to 0.9999"},
		"ServiceLevelOver": {forecast(`  provisionFor: {serviceLevel: "1.5"}`), "serviceLevel must be from 0.5 to 0.9999"},
		"BothContracts": {
			forecast(`  provisionFor: {serviceLevel: "0.99", shortageCost: "20"}`),
			"exactly one of serviceLevel",
		},
		"NeitherContract":    {forecast(`  provisionFor: {}`), "exactly one of serviceLevel"},
		"FixedWithoutValue":  {forecast(`  leadTime: {mode: Fixed}`), "mode Fixed needs fixed"},
		"FixedInLearned":     {forecast(`  leadTime: {fixed: 10m}`), "fixed is read in mode Fixed only"},
		"DurationUnit":       {forecast(`  horizon: 24`), "horizon"},
		"ZoneLocal":          {forecast(`  seasonality: {timeZone: Local}`), "IANA name"},
		"ZoneOffset":         {forecast(`  seasonality: {timeZone: "+08:00"}`), "timeZone"},
		"BoundsCrossed":      {forecast(`  bounds: {min: "5", max: "4"}`), "bounds.min must not be above bounds.max"},
		"CapacityZero":       {forecast(`  capacityPerReplica: "0"`), "capacityPerReplica must be above 0"},
		"StaticWithoutValue": {forecast(`  onPlanExpiry: {policy: Static}`), "policy Static needs value"},
		"Mode":               {forecast(`  mode: Maybe`), "Unsupported value"},
		"CronSixFields":      {hourly("0 0 12 * * 1", `atLeast: "1"`), "exactly five cron fields"},
		"CronZone":           {hourly("TZ=UTC 0 12 * * 1", `atLeast: "1"`), "exactly five cron fields"},
		"CronMacro":          {hourly("@daily", `atLeast: "1"`), "exactly five cron fields"},
		"ScheduleAndStart":   {hourly(`0 12 * * 1", start: "2026-11-11T00:00`, `atLeast: "1"`), "exactly one of schedule"},
		"TwoDemands":         {hourly("0 12 * * 1", `atLeast: "1", add: "2"`), "exactly one of atLeast"},
		"NoDemand":           {hourly("0 12 * * 1", ""), "exactly one of atLeast"},
		"MultiplyZero":       {hourly("0 12 * * 1", `multiply: "0"`), "multiply must be above 0"},
		"NegativeDemand":     {hourly("0 12 * * 1", `atLeast: "-1"`), "atLeast must not be below 0"},
		"NoForecasts": {
			strings.Replace(hourly("0 12 * * 1", `atLeast: "1"`), "  forecastSelector: {}\n", "", 1),
			"forecastRefs or by forecastSelector",
		},
		"EmptyZone": {
			strings.Replace(hourly("0 12 * * 1", `atLeast: "1"`), "Asia/Shanghai", `""`, 1), "timeZone",
		},
		"CalendarTwoRules": {
			calendar(`dates: ["2026-12-25"], yearly: {month: 12, day: 25}`), "exactly one of dates and yearly",
		},
		"CalendarDayAndNth": {
			calendar(`yearly: {month: 12, day: 25, weekday: Monday, nth: 1}`), "give day, or weekday",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			out, err := shared.Kubectl(t.Context(), []byte(c.yaml), "apply", "--dry-run=server", "-f", "-")
			if err == nil {
				t.Fatalf("the API server accepted it:\n%s", out)
			}
			if !strings.Contains(err.Error()+out, c.says) {
				t.Errorf("refused without saying %q: %v\n%s", c.says, err, out)
			}
		})
	}
}

// Only a time zone database knows that a zone is wrong. So the API server accepts it, and a
// condition reports it.
func TestUnknownZoneIsACondition(t *testing.T) {
	ns := namespace(t)
	yaml := deployment(ns) + forecast(ns, "lost", sourceGood, "vector(1)") + `  seasonality: {timeZone: Mars/Olympus}
---
apiVersion: headstart.dev/v1alpha1
kind: PeakSchedule
metadata: {name: lost, namespace: ` + ns + `}
spec:
  forecastSelector: {}
  timeZone: Mars/Olympus
  windows: [{name: a, schedule: "0 12 * * 1", duration: 1h, demand: {atLeast: "1"}}]
`
	if err := shared.Apply(t.Context(), yaml); err != nil {
		t.Fatal(err)
	}
	for _, object := range []string{"peakschedule/lost", "forecast/lost"} {
		awaitNotReady(t, ns, object, time.Now().Add(timeout), "Mars/Olympus", "IANA") // the zone, and what to write instead
	}
}
