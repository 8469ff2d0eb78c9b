package closedloop

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// A Case is an open trace of the yardstick, and how it is scored.
type Case struct {
	Name string
	Step time.Duration
	Lead int // steps
	Days int // of history before scoring starts
}

// Cases returns the open traces of the yardstick.
func Cases() []Case {
	m := time.Minute
	return []Case{
		{"llm_servegen_m_mid_client30_10min", 10 * m, 1, 8},
		{"llm_servegen_m_mid_client40_10min", 10 * m, 1, 8},
		{"llm_servegen_m_mid_client66_10min", 10 * m, 1, 8},
		{"llm_servegen_m_large_client156_10min", 10 * m, 1, 8},
		{"llm_servegen_m_large_10min", 10 * m, 1, 8},
		{"llm_servegen_m_mid_10min", 10 * m, 1, 8},
		{"llm_azure2024_code_10min", 10 * m, 1, 4},
		{"llm_burstgpt_tokens_1min", m, 10, 4},
		{"tencent_cpu_02_1min", m, 10, 10},
		{"tencent_cpu_07_1min", m, 10, 10},
		{"tencent_cpu_08_1min", m, 10, 10},
		{"tencent_cpu_11_1min", m, 10, 10},
		{"tencent_cpu_12_1min", m, 10, 10},
		{"web_worldcup98_to_june9_1min", m, 10, 20},
		{"web_nasa_july_1min", m, 10, 14},
		{"web_appserver_2015_2017_1h", 60 * m, 1, 365},
		{"web_aws_elb_5min", 5 * m, 2, 8},
		{"nyc_taxi_30min", 30 * m, 1, 100},
		{"tweets_AMZN_5min", 5 * m, 2, 28},
		{"road_i94_1h", 60 * m, 1, 730},
		{"bikeshare_to_2017_1h", 60 * m, 1, 1095},
		{"electricity_vic_2012_2013_30min", 30 * m, 1, 365},
	}
}

var errNoData = errors.New("no trace data found: set HEADSTART_SHARED to the folder that holds data/ and yardstick/")

// Shared returns the folder of the traces and the yardstick: $HEADSTART_SHARED, or a folder
// `shared` beside the repository.
func Shared() (string, error) {
	if dir := os.Getenv("HEADSTART_SHARED"); dir != "" {
		return dir, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", errNoData
	}
	for {
		try := filepath.Join(dir, "shared")
		if _, err := os.Stat(filepath.Join(try, "data")); err == nil {
			return try, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errNoData
		}
		dir = up
	}
}

// Path returns the file of the trace, given the shared folder.
func (c Case) Path(shared string) string { return filepath.Join(shared, "data", c.Name+".csv.gz") }

// Open loads the trace from the shared folder.
func (c Case) Open(shared string) (*Trace, error) {
	start, raw, err := Load(c.Path(shared))
	if err != nil {
		return nil, err
	}
	return New(c.Name, start, c.Step, raw, c.Lead, int(time.Duration(c.Days)*24*time.Hour/c.Step)), nil
}
