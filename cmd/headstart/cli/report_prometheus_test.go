package cli

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// wavePrometheus answers range queries with the same day again and again. After that many answers
// it returns 503; 0 is no limit.
func wavePrometheus(answers int64) http.HandlerFunc {
	var requests atomic.Int64
	return func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); answers > 0 && n > answers {
			http.Error(w, "restarting", http.StatusServiceUnavailable)
			return
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(r.FormValue(name), 64)
			if err != nil {
				http.Error(w, name, http.StatusBadRequest)
			}
			return v
		}
		var points [][2]any
		for at, end, step := number("start"), number("end"), number("step"); at <= end && step > 0; at += step {
			points = append(points, [2]any{at, fmt.Sprintf("%.2f", 100-60*math.Cos(2*math.Pi*at/86400))})
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{
			"resultType": "matrix", "result": []any{map[string]any{"metric": map[string]string{}, "values": points}},
		}})
	}
}

// fromPrometheus returns the command line of a report on 28 days of a Prometheus.
func fromPrometheus(url string) string {
	return "report --query demand --history 28d --step 1m --lead 10m --capacity 5 --service-level 0.99 " +
		"--policies reactive,static,oracle --prometheus " + url
}

// If Prometheus stops answering half-way, the report covers what was read, and a note and an error
// say how far that is.
func TestReportOnHalfAnAnswer(t *testing.T) {
	server := httptest.NewServer(wavePrometheus(2))
	defer server.Close()
	dir := t.TempDir()
	stdout, stderr, code := headstart(t, fromPrometheus(server.URL), "-o", "json")
	if code == 0 {
		t.Error("it exits with 0")
	}
	for _, part := range []string{"503", "2 of", "up to 20"} {
		if !strings.Contains(stderr, part) {
			t.Errorf("%q does not say %q", stderr, part)
		}
	}
	var made struct {
		Input struct {
			Steps int
			Start string
			End   string
		}
		Notes []string
	}
	if err := json.Unmarshal([]byte(stdout), &made); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if made.Input.Steps < 10000 || made.Input.Steps >= 28*1440 ||
		!strings.Contains(strings.Join(made.Notes, " "), "only in part") {
		t.Errorf("%d steps of %d, notes %q", made.Input.Steps, 28*1440, made.Notes)
	}
	if end := strings.TrimSuffix(made.Input.End, "Z"); !strings.Contains(stderr, end) {
		t.Errorf("the report ends at %s, and the error says %q", end, stderr)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}

	// Decisions are written for a whole history or not at all.
	again := httptest.NewServer(wavePrometheus(1))
	defer again.Close()
	decisions := filepath.Join(dir, "decisions.csv")
	line := fromPrometheus(again.URL) + " --policies headstart --from 6d20h --decisions " + decisions
	if _, _, code := headstart(t, line); code == 0 {
		t.Error("it exits with 0")
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// If Prometheus does not answer at all, there is an error and no report.
func TestReportWithoutAnAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusServiceUnavailable)
	}))
	defer server.Close()
	stdout, stderr, code := headstart(t, fromPrometheus(server.URL))
	if code == 0 || stdout != "" || !strings.Contains(stderr, "503") {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	_, stderr, code = headstart(t, fromPrometheus("http://127.0.0.1:1"))
	if code == 0 || !strings.Contains(stderr, "NAMESPACE/SERVICE:PORT") {
		t.Errorf("exit %d: %q does not say how to reach a Prometheus", code, stderr)
	}
	// The words are those of the command line, which knows no sources.
	const nowhere = "http://127.0.0.1:1"
	for _, line := range []string{fromPrometheus(nowhere), "forecast --query x --prometheus " + nowhere} {
		_, stderr, _ = headstart(t, line)
		if strings.Contains(stderr, "source") || !strings.Contains(stderr, "--prometheus") {
			t.Errorf("%s: %q speaks of sources", line, stderr)
		}
	}
	// Without a cluster, only a URL can be meant.
	_, stderr, code = headstart(t, "forecast --query x --prometheus monitoring/prometheus:9090")
	if code == 0 || !strings.Contains(stderr, "not a URL") {
		t.Errorf("exit %d: %q", code, stderr)
	}
	if _, stderr, code = headstart(t, "report"); code == 0 || !strings.Contains(stderr, "nothing to report on") {
		t.Errorf("report alone: exit %d: %q", code, stderr)
	}
}

// --prometheus-http-config takes TLS and credentials as Prometheus itself does.
func TestReportOverTLSWithCredentials(t *testing.T) {
	wave := wavePrometheus(0)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "reader" || password != "secret" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		wave(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, content := range map[string]string{
		"ca.pem": string(ca), "password": "secret",
		"http.yaml": "tls_config: {ca_file: ca.pem}\nbasic_auth: {username: reader, password_file: password}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(dir, "http.yaml")
	stdout, stderr, code := headstart(t, fromPrometheus(server.URL), "--prometheus-http-config", config)
	if code != 0 || stderr != "" || !strings.Contains(stdout, "Dry run of "+server.URL) {
		t.Errorf("exit %d, %q, %q", code, stderr, stdout)
	}
	_, stderr, code = headstart(t, fromPrometheus(server.URL))
	if code == 0 || !strings.Contains(strings.ToLower(stderr), "certificate") {
		t.Errorf("without the CA: exit %d: %q", code, stderr)
	}
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code = headstart(t, fromPrometheus(server.URL), "--prometheus-http-config", config)
	if code == 0 || !strings.Contains(stderr, "401") || strings.Contains(stderr, "wrong") {
		t.Errorf("with a wrong password: exit %d: %q", code, stderr)
	}
}

// A history with more gaps than values can be replayed, and the report names the gaps.
func TestReportWithMoreGapsThanValues(t *testing.T) {
	var b strings.Builder
	b.WriteString("timestamp,value\n")
	for i := range 14 * 144 {
		value := "" // four hours of six are missing
		if i%36 < 12 {
			value = "50"
		}
		fmt.Fprintf(&b, "%d,%s\n", 1772409600+600*i, value)
	}
	stdout, stderr, code := headstart(t, "report --lead 10m --capacity 5 --service-level 0.99 --input",
		file(t, "gaps.csv", b.String()))
	if code != 0 {
		t.Fatal(stderr)
	}
	for _, part := range []string{"without a value", "of the replayed steps have no value"} {
		if !strings.Contains(stdout, part) {
			t.Errorf("the report does not say %q:\n%s", part, stdout)
		}
	}
}
