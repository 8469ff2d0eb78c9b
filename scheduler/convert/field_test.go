package convert

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/scheduler/door"
	"headstart.dev/headstart/scheduler/manifest"
)

// scaledObject makes a ScaledObject of two to eight replicas with more fields and triggers.
func scaledObject(more string, triggers ...string) string {
	return "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a, namespace: web}, spec: " +
		"{scaleTargetRef: {name: a}, minReplicaCount: 2, maxReplicaCount: 8, " + more +
		"triggers: [" + strings.Join(triggers, ", ") + "]}}"
}

// cronTrigger makes a trigger of type cron.
func cronTrigger(start, end, replicas string) string {
	return fmt.Sprintf("{type: cron, metadata: {timezone: UTC, start: %q, end: %q, desiredReplicas: %s}}", start, end,
		replicas)
}

// promTrigger makes a trigger of type prometheus.
func promTrigger(query, threshold string) string {
	return fmt.Sprintf("{type: prometheus, metadata: {serverAddress: http://p, query: %q, threshold: %s}}", query,
		threshold)
}

// converted returns the objects as text, and the notes and the error in one text each.
func converted(t *testing.T, text string) (objects, notes string, err error) {
	t.Helper()
	read, err := manifest.Read(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	result, err := Convert(read, Options{Door: door.External, Now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)})
	for _, object := range result.Objects {
		document, marshalErr := yaml.Marshal(object)
		if marshalErr != nil {
			t.Fatal(marshalErr)
		}
		objects += "---\n" + string(document)
	}
	for _, n := range result.Notes {
		notes += n.Text + "\n"
	}
	return objects, notes, err
}

// cronHPA makes a CronHorizontalPodAutoscaler.
func cronHPA(target, jobs string) string {
	return "{apiVersion: autoscaling.alibabacloud.com/v1beta1, kind: CronHorizontalPodAutoscaler, metadata: {name: a, " +
		"namespace: web}, spec: {scaleTargetRef: " + target + ", jobs: [" + jobs + "]}}"
}

const upAndDown = `{name: up, schedule: "0 0 8 * * *", targetSize: "12"}, {name: down, schedule: "0 0 21 * * ` +
	`*", targetSize: 4}`

// sizedHPA makes an HPA of the Deployment shop.
func sizedHPA(least, most string) string {
	return "\n---\n{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: shop, namespace: " +
		"web}, spec: " +
		"{minReplicas: " + least + ", maxReplicas: " + most + ", scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, " +
		"name: shop}}}"
}

const (
	daytimeStart, daytimeEnd = "0 8 * * 1-5", "0 20 * * 1-5"
	requestRate              = "sum(rate(http_requests_total{job=\"queue_latency_cpu\"}[2m]))"
)

var fieldCases = map[string]struct {
	reason, text string
	objects      []string // texts that the objects have
	notes        string
	never        string // a text that neither has
}{
	"SameTime": {
		"KEDA refuses a trigger that ends when it starts, so it has no window",
		scaledObject("", cronTrigger("0 9 * * *", "0 9 * * *", "4"), cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"cron-0 is left out, because its start and its end are the same time", "replicas: 4",
	},
	"SameTimeOtherwise": {
		"the same time in another spelling",
		scaledObject("", cronTrigger("05 09 * * mon", "5  9 ? */1 MON", "4"), cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"cron-0 is left out", "replicas: 4",
	},
	"SameTimeByName": {
		"weekdays by name and by number",
		scaledObject("", cronTrigger("0 9 * * 1-5", "0 9 * * MON-FRI", "4"), cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"cron-0 is left out", "replicas: 4",
	},
	"SameTimeAsRange": {
		"a range of all values is a wildcard",
		scaledObject("", cronTrigger("0 9 1-31 1-12 0-6", "0 9 * * *", "4"), cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"cron-0 is left out", "replicas: 4",
	},
	"SameTimeAsList": {
		"a list and a range, and Sunday as 7",
		scaledObject("", cronTrigger("0 9 * 1-3 5,6,7", "0 9 * 1,2,3 0,5-6", "4"),
			cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"cron-0 is left out", "replicas: 4",
	},
	"SameTimeOnSomeDays": {
		"KEDA stays active where the next start and the next end are the same",
		scaledObject("", cronTrigger("0 9 * * *", "0 9 * * 1-5", "4")),
		[]string{"duration: 7d"},
		"cron-0 never ends, because a start is at every end", "",
	},
	"SeveralAboveMaximum": {
		"each trigger above the maximum is told",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "9"), cronTrigger(daytimeStart, daytimeEnd, "7"),
			cronTrigger(daytimeStart, "0 12 * * *", "30")),
		[]string{"maxReplicas: 8", "replicas: 30"},
		"cron-2 wants 30 replicas, and KEDA never runs more than its maxReplicaCount: maxReplicas stays 8", "",
	},
	"AboveMaximumByDefault": {
		"KEDA's maximum is 100 where none is written",
		"{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, metadata: {name: a}, spec: {scaleTargetRef: {name: a}, " +
			"triggers: [" + cronTrigger(daytimeStart, daytimeEnd, "150") + "]}}",
		[]string{"maxReplicas: 100", "replicas: 150"},
		"maxReplicas stays 100", "",
	},
	"AboveMaximum": {
		"KEDA never runs more than its maximum, and neither does the new HPA",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, `"11"`)),
		[]string{"maxReplicas: 8", "replicas: 11"},
		"KEDA never runs more than its maxReplicaCount: maxReplicas stays 8", "",
	},
	"CraneAboveMaximum": {
		"nor does Crane",
		"{apiVersion: autoscaling.crane.io/v1alpha1, kind: EffectiveHorizontalPodAutoscaler, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, minReplicas: 1, maxReplicas: 5, crons: " +
			"[{name: c, timezone: UTC, start: 0 8 * * *, end: 0 9 * * *, targetReplicas: 7}]}}",
		[]string{"maxReplicas: 5"},
		"Crane never runs more than its maxReplicas: maxReplicas stays 5", "",
	},
	"CraneSameTime": {
		"a period of Crane whose end is its start",
		"{apiVersion: autoscaling.crane.io/v1alpha1, kind: EffectiveHorizontalPodAutoscaler, metadata: {name: a}, spec: " +
			"{scaleTargetRef: {kind: Deployment, name: a}, minReplicas: 1, maxReplicas: 9, crons: " +
			"[{name: c, timezone: UTC, start: 0 8 * * *, end: 00 08 * * 0-6, targetReplicas: 7}]}}",
		[]string{"replicas: 7"},
		"c never ends, because a start is at every end", "",
	},
	"Zero": {
		"a trigger that wants nothing has no window, and a Forecast without one would never serve anything",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "0")),
		nil, "nothing is written, because neither a window nor a demand is left", "PeakSchedule\nmetadata",
	},
	"BelowMinimum": {
		"nor has one that wants no more than the minimum",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "2"), cronTrigger("0 9 * * *", "0 10 * * *", "3")),
		[]string{"replicas: 3"},
		"cron-0 wants 2 replicas, which is not more than minReplicas", "replicas: 2\n",
	},
	"AlwaysTheSame": {
		"actions that never change anything",
		cronHPA("{apiVersion: apps/v1, kind: Deployment, name: shop}", `{name: x, schedule: "0 0 8 * * *", targetSize: 3}`),
		nil, "it always wants 3 replicas", "kind: Forecast",
	},
	"ThroughHPA": {
		"the bounds of the HPA that is followed live on",
		cronHPA("{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: shop}", upAndDown) + sizedHPA("2", "60"),
		[]string{"maxReplicas: 60", "minReplicas: 4", "replicas: 12"},
		"maxReplicas is 60, as in HorizontalPodAutoscaler shop", "",
	},
	"ThroughSmallHPA": {
		"an action raises the maximum, as the original does",
		cronHPA("{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, name: shop}", upAndDown) + sizedHPA("1", "5"),
		[]string{"maxReplicas: 12"},
		"HorizontalPodAutoscaler shop selects the same pods", "",
	},
	"BesideHPA": {
		"the metrics of an HPA beside it move to the new one, so its maximum does too",
		cronHPA("{apiVersion: apps/v1, kind: Deployment, name: shop}", upAndDown) + sizedHPA("1", "33"),
		[]string{"maxReplicas: 33"},
		"HorizontalPodAutoscaler shop selects the same pods", "",
	},
	"NamedHPA": {
		"KEDA's HPA can have a name of its own",
		scaledObject("advanced: {horizontalPodAutoscalerConfig: {name: mine}}, ", cronTrigger(daytimeStart, daytimeEnd, "6")),
		[]string{"replicas: 6"},
		"delete HorizontalPodAutoscaler mine before", "keda-hpa-a",
	},
	"Quantities": {
		"quantities in all forms that Kubernetes takes",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "1e1"), promTrigger(requestRate, "2.5e1")),
		[]string{"replicas: 10", `capacityPerReplica: "25"`},
		"", "",
	},
	"PrometheusAlone": {
		"a query of demand needs no cron trigger",
		scaledObject("", promTrigger(requestRate, `"50"`)),
		[]string{"kind: Forecast", `averageValue: "50"`},
		"became the Forecast's demand", "PeakSchedule\nmetadata",
	},
	"Queue": {
		"a queue is not demand",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "6"), promTrigger("sum(vllm:num_requests_waiting)", "5")),
		[]string{"replicas: 6"},
		"shrinks once there are enough replicas, so it is not demand", "num_requests_waiting",
	},
	"QueueOfABroker": {
		"nor is that of a broker",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "6"), "{type: kafka, metadata: {lagThreshold: 5}}"),
		[]string{"replicas: 6"},
		"give the Forecast the rate at which work arrives", "",
	},
	"Zones": {
		"every zone has a PeakSchedule of its own",
		scaledObject("", cronTrigger(daytimeStart, daytimeEnd, "6"),
			`{type: cron, metadata: {timezone: Asia/Tokyo, start: "0 1 * * *", end: "0 2 * * *", desiredReplicas: 7}}`),
		[]string{"timeZone: UTC", "timeZone: Asia/Tokyo"},
		"", "",
	},
	"DaysOfTheMonth": {
		"from the 28th to the 3rd lasts differently every month",
		"{apiVersion: extensions.tkestack.io/v1, kind: CronHPA, metadata: {name: a}, spec: {scaleTargetRef: {kind: " +
			"Deployment, name: a}, crons: [{name: c, schedule: 0 0 28 * *, targetReplicas: 2}, {schedule: 0 0 3 * *, " +
			"targetReplicas: 1}]}}",
		[]string{
			"duration: 3d\n    name: c\n    schedule: 0 0 28 2 *",
			"duration: 5d\n    name: c-2\n    schedule: 0 0 28 4,6,9,11 *",
			"duration: 6d\n    name: c-3\n    schedule: 0 0 28 1,3,5,7-8,10,12 *",
			"start: 2028-03-02T00:00",
		},
		"are written with their dates", "",
	},
}

// TestFieldCases converts what is found in the field.
func TestFieldCases(t *testing.T) {
	for name, tc := range fieldCases {
		t.Run(name, func(t *testing.T) {
			objects, notes, err := converted(t, tc.text)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range tc.objects {
				if !strings.Contains(objects, want) {
					t.Errorf("\nReason: %s\nthe objects do not have %q:\n%s", tc.reason, want, objects)
				}
			}
			if len(tc.objects) == 0 && objects != "" {
				t.Errorf("\nReason: %s\nthese objects are written:\n%s", tc.reason, objects)
			}
			if !strings.Contains(notes, tc.notes) || tc.never != "" && strings.Contains(objects, tc.never) {
				t.Errorf("\nReason: %s\nobjects and notes:\n%s\n%s", tc.reason, objects, notes)
			}
		})
	}
}

func TestNotDemand(t *testing.T) {
	for query, want := range map[string]string{
		requestRate: "",
		`sum(rate(http_request_duration_seconds_count[5m]))`:                                "",
		`sum(irate(queue_messages_published_total[1m]))`:                                    "",
		`sum by (pod) (increase(jobs_pending_created_total[1m])) / 60`:                      "",
		`service:requests:rate5m{job="cpu"}`:                                                "",
		`sum(rate(vllm:prompt_tokens_total[2m]) + rate(vllm:generation_tokens_total[2m]))`:  "",
		`avg_over_time(requests_per_second[5m])`:                                            "",
		`histogram_quantile(0.95, sum by (le) (rate(latency_bucket[5m])))`:                  aLatency,
		`rate(request_duration_seconds_sum[5m]) / rate(request_duration_seconds_count[5m])`: aLatency,
		`avg(time_to_first_token_p95)`:                                                      aLatency,
		`sum(rate(container_cpu_usage_seconds_total[2m]))`:                                  aUtilisation,
		`avg(DCGM_FI_DEV_GPU_UTIL{pod=~"a.*"})`:                                             aUtilisation,
		`avg(vllm:gpu_cache_usage_perc)`:                                                    aUtilisation,
		`sum(rate(disk_operations_total[2m]))`:                                              "", `max(title_views)`: "",
		`sum(rabbitmq_queue_messages_ready{queue="x"})`: aQueue,
		`max(kafka_consumergroup_lag) by (topic)`:       aQueue,
		`sum(vllm:num_requests_running)`:                aQueue,
		`sum(http_in_flight)`:                           aQueue,
	} {
		if got := notDemand(query); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
}
