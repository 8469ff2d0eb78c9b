package manifests_test

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/test/binaries"
)

const monitoring = repository + "/manifests/monitoring/"

// alertTests say when each alert fires, for promtool. Samples are a minute apart.
const alertTests = `
rule_files: [rules.yaml]
evaluation_interval: 1m
tests:
- interval: 1m
  name: a plan that is renewed raises nothing, and one that is not does
  input_series:
  - {series: 'headstart_forecast_plan_end_timestamp_seconds{namespace="shop", forecast="renewed", pod="a"}', values: '86400+60x1600'}
  - {series: 'headstart_forecast_plan_end_timestamp_seconds{namespace="shop", forecast="left", pod="a"}', values: '86400x1600'}
  - {series: 'headstart_forecast_plan_end_timestamp_seconds{namespace="shop", forecast="new-leader", pod="a"}', values: '86400x1600'}
  - {series: 'headstart_forecast_plan_end_timestamp_seconds{namespace="shop", forecast="new-leader", pod="b"}', values: '86400+60x1600'}
  alert_rule_test:
  - {eval_time: 22h, alertname: HeadstartPlanRunsOut, exp_alerts: []}
  - eval_time: 22h20m
    alertname: HeadstartPlanRunsOut
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, forecast: left}
      exp_annotations:
        summary: The plan of shop/left ends within two hours, and no new one comes.
        description: "Prometheus or the leader has been away for most of the horizon. Once the plan is over, onPlanExpiry says what is served: by default an error, on which the HPA holds. See kubectl describe forecast left -n shop."
- interval: 1m
  name: refused values
  input_series:
  - {series: 'headstart_adapter_values_total{api="external", result="Served", pod="a"}', values: '0+90x60'}
  - {series: 'headstart_adapter_values_total{api="external", result="NotFound", pod="a"}', values: '0+10x60'}
  - {series: 'headstart_adapter_values_total{api="custom", result="Served", pod="a"}', values: '0+99x60'}
  - {series: 'headstart_adapter_values_total{api="custom", result="NotFound", pod="a"}', values: '0+1x60'}
  alert_rule_test:
  - eval_time: 40m
    alertname: HeadstartValuesRefused
    exp_alerts:
    - exp_labels: {severity: warning, api: external, result: NotFound}
      exp_annotations:
        summary: "10% of the values asked for through external metrics are refused: NotFound."
        description: HPAs that ask for them hold their replicas. The events of those HPAs name the Forecast and say what is wrong with it.
- interval: 1m
  name: an API that cannot be reached, and one that is none of ours
  input_series:
  - {series: 'aggregator_unavailable_apiservice{name="v1beta1.external.metrics.k8s.io"}', values: '1x10'}
  - {series: 'aggregator_unavailable_apiservice{name="v1beta1.metrics.k8s.io"}', values: '1x10'}
  alert_rule_test:
  - {eval_time: 4m, alertname: HeadstartAPIUnavailable, exp_alerts: []}
  - eval_time: 6m
    alertname: HeadstartAPIUnavailable
    exp_alerts:
    - exp_labels: {severity: critical, name: v1beta1.external.metrics.k8s.io}
      exp_annotations:
        summary: The API server cannot reach v1beta1.external.metrics.k8s.io.
        description: Every HPA that reads this group holds its replicas and does not scale down. See kubectl describe apiservice v1beta1.external.metrics.k8s.io for the reason, and the pods in headstart-system.
- interval: 1m
  name: a forecast without skill
  input_series:
  - {series: 'headstart_forecast_skill{namespace="shop", forecast="noise"}', values: '-0.2x900'}
  - {series: 'headstart_forecast_skill{namespace="shop", forecast="days"}', values: '0.4x900'}
  alert_rule_test:
  - {eval_time: 11h, alertname: HeadstartForecastWithoutSkill, exp_alerts: []}
  - eval_time: 13h
    alertname: HeadstartForecastWithoutSkill
    exp_alerts:
    - exp_labels: {severity: info, namespace: shop, forecast: noise}
      exp_annotations:
        summary: The forecast of shop/noise has had no skill for half a day.
        description: "It is not used: observed demand and declared peaks are served, so this service scales reactively. Its demand may have no pattern, or its query may not measure demand."
- interval: 1m
  name: a floor that one of two replicas lost
  input_series:
  - {series: 'headstart_forecast_floor_dropped{namespace="shop", forecast="fine", pod="a"}', values: '0x20'}
  - {series: 'headstart_forecast_floor_dropped{namespace="shop", forecast="lost", pod="a"}', values: '0x20'}
  - {series: 'headstart_forecast_floor_dropped{namespace="shop", forecast="lost", pod="b"}', values: '1x20'}
  alert_rule_test:
  - {eval_time: 4m, alertname: HeadstartFloorDropped, exp_alerts: []}
  - eval_time: 6m
    alertname: HeadstartFloorDropped
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, forecast: lost}
      exp_annotations:
        summary: Observed demand of shop/lost is not known, and does not hold the served metric up.
        description: "The plan alone is served; a service in mode DryRun or Paused, or without a skilled forecast, holds its replicas. The condition Observed says why: kubectl describe forecast lost -n shop."
- interval: 1m
  name: conditions that call for somebody, and those that do not
  input_series:
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="drifts", type="Drifting"}', values: '1x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="holds", type="Drifting"}', values: '0x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="young", type="Drifting"}', values: '-1x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="short", type="WithinMaxReplicas"}', values: '0x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="holds", type="WithinMaxReplicas"}', values: '1x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="crashes", type="StartsFailing"}', values: '1x30'}
  - {series: 'headstart_forecast_condition{namespace="shop", forecast="holds", type="StartsFailing"}', values: '0x30'}
  - {series: 'headstart_capacity_shortfall_replicas{namespace="shop", warmpool="gpus"}', values: '3x30'}
  - {series: 'headstart_capacity_shortfall_replicas{namespace="shop", warmpool="cpus"}', values: '0x30'}
  alert_rule_test:
  - {eval_time: 14m, alertname: HeadstartForecastDrifting, exp_alerts: []}
  - eval_time: 16m
    alertname: HeadstartForecastDrifting
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, forecast: drifts}
      exp_annotations:
        summary: The plan of shop/drifts covers less than was asked for, by more than chance explains.
        description: "Demand behaves in a new way, a peak was not declared, or bounds.max caps the plan. The condition Drifting has the figures: kubectl describe forecast drifts -n shop."
  - eval_time: 16m
    alertname: HeadstartMaxReplicasTooLow
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, forecast: short}
      exp_annotations:
        summary: The plan of shop/short needs more replicas than the HPA may have.
        description: "The condition WithinMaxReplicas says from when on, and how many: kubectl describe forecast short -n shop."
  - eval_time: 16m
    alertname: HeadstartStartsFailing
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, forecast: crashes}
      exp_annotations:
        summary: Pods of shop/crashes start and do not become Ready.
        description: "The condition StartsFailing says how many, and what they say: kubectl describe forecast crashes -n shop."
  - eval_time: 16m
    alertname: HeadstartCapacityShort
    exp_alerts:
    - exp_labels: {severity: warning, namespace: shop, warmpool: gpus}
      exp_annotations:
        summary: Plans that WarmPool shop/gpus warms for need more than there can be.
        description: "The condition CapacityShort says from when on, how many, and what to do: kubectl describe warmpool gpus -n shop."
`

// TestAlerts runs the alerts on invented series, with Prometheus' own promtool.
func TestAlerts(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	layout, err := binaries.ControlPlane(ctx, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var rule struct {
		Spec any `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, monitoring+"alerts.yaml"), &rule); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(rule.Spec)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"rules.yaml": spec, "tests.yaml": []byte(alertTests)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(ctx, filepath.Join(layout.Bin, "promtool"), "test", "rules", "tests.yaml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("promtool test rules: %v\n%s", err, out)
	}
}

var metricName = regexp.MustCompile(`headstart_[a-z_]+`)

// TestMetricsExist looks for every metric of the alerts and the dashboard in the code that exports
// it.
func TestMetricsExist(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"adapter/*.go", "controller/*.go", "gpuwarm/warmer/*.go"} {
		files, err := filepath.Glob(repository + "/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source.Write(read(t, file))
		}
	}
	for _, file := range []string{"alerts.yaml", "headstart.json"} {
		names := metricName.FindAllString(string(read(t, monitoring+file)), -1)
		slices.Sort(names)
		names = slices.Compact(names)
		if len(names) < 3 {
			t.Errorf("%s names %d metrics: %q", file, len(names), names)
		}
		for _, name := range names {
			if !strings.Contains(source.String(), `"`+strings.TrimSuffix(name, "_bucket")+`"`) {
				t.Errorf("%s: nothing exports %s", file, name)
			}
		}
	}
}

// TestDashboard: Grafana shows a broken file as nothing at all.
func TestDashboard(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string `json:"title"`
			Type    string `json:"type"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(read(t, monitoring+"headstart.json"), &dashboard); err != nil {
		t.Fatal(err)
	}
	if len(dashboard.Panels) < 8 {
		t.Errorf("%d panels", len(dashboard.Panels))
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
