package convert

import (
	"regexp"
	"slices"
	"strings"
)

// What a query measures that is not demand, and why a forecast of it does not help.
const (
	aQueue       = "counts what waits or runs now, which shrinks once there are enough replicas"
	aUtilisation = "measures how much of the replicas is used, which falls when replicas are added"
	aLatency     = "measures how long requests take, which falls when replicas are added"
)

const insteadOfIt = "to look ahead, give the Forecast the rate at which work arrives, such as " +
	"sum(rate(http_requests_total[2m])), " +
	"and as capacityPerReplica the rate that one replica serves"

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|` + "`[^`]*`")
	matchers = regexp.MustCompile(`\{[^{}]*\}`)
	grouping = regexp.MustCompile(`\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)`)
	ranges   = regexp.MustCompile(`\[[^\[\]]*\]`)
	counter  = regexp.MustCompile(`\b(rate|irate|increase)\s*\(\s*([a-zA-Z_:][a-zA-Z0-9_:]*)`)
	metric   = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*\s*\(?`)
	quantile = regexp.MustCompile(`\b(histogram_quantile|quantile_over_time|histogram_avg)\s*\(`)

	latencyName = regexp.MustCompile(`latency|duration|response_time|time_to_first|per_output_token|elapsed|delay|` +
		`wait_time|(^|[_:])(ttft|tpot|itl|p[59][059]|p999)($|[_:])`)
	utilisationName = regexp.MustCompile(`utili[sz]ation|percent|cache_usage|usage|saturation|load_average|duty_cycle|` +
		`occupancy|(^|[_:])(util|cpu|memory|mem|ratio|load1|load5|load15)($|[_:])`)
	queueName = regexp.MustCompile(`queue|backlog|pending|waiting|in_?flight|num_requests_running|running_requests|` +
		`concurren|outstanding|messages_ready|unacked|active_(requests|connections|sessions)|` +
		`(^|[_:])(lag|depth|size|visible)($|[_:])`)
)

// notDemand returns why a query does not measure demand; empty where nothing says so.
func notDemand(query string) string {
	text := strings.ToLower(query)
	if quantile.MatchString(text) {
		return aLatency
	}
	for _, drop := range []*regexp.Regexp{quoted, matchers, grouping, ranges} {
		text = drop.ReplaceAllString(text, "")
	}
	var counters []string
	for _, match := range counter.FindAllStringSubmatch(text, -1) {
		counters = append(counters, match[2])
	}
	if len(counters) > 0 {
		return notDemandOfCounters(counters, strings.Contains(text, "/"))
	}
	for _, name := range metric.FindAllString(text, -1) {
		if strings.HasSuffix(name, "(") {
			continue // a function
		}
		name = strings.TrimSpace(name)
		if isRecordedRate(name) {
			return ""
		}
		if why := notDemandOfGauge(name); why != "" {
			return why
		}
	}
	return ""
}

// notDemandOfCounters returns why the rates of counters are not demand; empty where nothing says so.
func notDemandOfCounters(counters []string, divided bool) string {
	for _, name := range counters {
		if divided && strings.HasSuffix(name, "_sum") {
			return aLatency // the mean of a histogram is its sum over its count
		}
	}
	for _, name := range counters {
		if !strings.HasSuffix(name, "_count") && utilisationName.MatchString(name) {
			return aUtilisation // as seconds of a processor
		}
	}
	return ""
}

// isRecordedRate reports whether a metric is a rate that a rule recorded, by its name.
func isRecordedRate(name string) bool {
	return strings.Contains(name, "rate") && !strings.Contains(name, "hit_rate") ||
		strings.Contains(name, "_rps") ||
		strings.Contains(name, "per_second") && !strings.Contains(name, "latency")
}

// notDemandOfGauge returns why a gauge is not demand; empty where its name does not say so.
func notDemandOfGauge(name string) string {
	switch {
	case latencyName.MatchString(name):
		return aLatency
	case utilisationName.MatchString(name):
		return aUtilisation
	case queueName.MatchString(name):
		return aQueue
	}
	return ""
}

// scalersOfQueues and scalersOfUse are KEDA's triggers that measure no demand.
var (
	scalersOfQueues = []string{
		"rabbitmq", "kafka", "apache-kafka", "aws-sqs-queue", "aws-kinesis-stream", "azure-servicebus", "azure-queue",
		"azure-eventhub", "azure-pipelines", "gcp-pubsub", "gcp-cloudtasks", "redis", "redis-cluster", "redis-sentinel",
		"redis-streams", "redis-cluster-streams", "redis-sentinel-streams", "nats-jetstream", "stan", "activemq",
		"artemis-queue", "ibmmq", "pulsar", "beanstalkd", "liiklus", "huawei-cloudeye", "solace-event-queue", "temporal",
		"github-runner", "forgejo-runner", "selenium-grid", "sumologic", "nsq", "etcd-queue",
	}
	scalersOfUse = []string{"cpu", "memory"}
)

// notDemandOf returns why a trigger does not measure demand; empty where nothing says so.
func notDemandOf(t kedaTrigger) string {
	switch {
	case slices.Contains(scalersOfQueues, t.Type):
		return aQueue
	case slices.Contains(scalersOfUse, t.Type):
		return aUtilisation
	}
	return notDemand(string(t.Metadata["query"]))
}

// noteNoDemand notes why the query of a trigger that stays does not become a Forecast's demand, where
// no other one did.
func (s *source) noteNoDemand(name string, t kedaTrigger, demand string) {
	if t.Type != "prometheus" || demand != "" {
		return
	}
	switch why := notDemandOf(t); {
	case why != "":
		s.note("the query of trigger %s %s, so it is not demand: the trigger stays as it is", name, why)
	case t.Metadata["threshold"] == "":
		s.note("trigger %s has no threshold, so it is not known what one replica serves: it stays as it is", name)
	default:
		s.note("trigger %s has the metricType %s, so its query is not the demand of all replicas: it stays as it is. "+
			"Only AverageValue divides demand by what one replica serves", name, t.MetricType)
	}
}

// noteTrigger notes a trigger that is not converted, and what to use instead.
func (s *source) noteTrigger(name string, t kedaTrigger) {
	why := notDemandOf(t)
	if why == "" {
		s.note("trigger %s of type %s is not converted: keep it as a metric of the new HorizontalPodAutoscaler, "+
			"or keep the ScaledObject and read the Forecast from it", name, t.Type)
		return
	}
	s.note("trigger %s of type %s is not converted: it %s, so it is not demand. Keep it as a metric of the new "+
		"HorizontalPodAutoscaler, or keep the ScaledObject and read the Forecast from it", name, t.Type, why)
}
