package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"headstart.dev/headstart/forecaster/internal/closedloop"
)

// reported replays a trace by the command line. It returns the decisions, and J of today's policies
// with tuned head-room.
func reported(command, input string, t *closedloop.Trace) (decisions, tuned []float64, err error) {
	dir, err := os.MkdirTemp("", "headstart-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "decisions.csv")
	out, _, err := execute(command, "report", "--input", input,
		"--lead", (time.Duration(t.Lead) * t.Step).String(), "--capacity", strconv.FormatFloat(t.Capacity, 'g', -1, 64),
		"--from", t.Start.Add(time.Duration(t.Warm)*t.Step).Format(time.RFC3339),
		"--shortage-cost", strconv.Itoa(closedloop.Penalty),
		"--policies", "headstart,reactive-exact,yesterday,crane,oracle", "--headroom",
		"--decisions", file, "--output", "json")
	if err != nil {
		return nil, nil, err
	}
	var report struct {
		Policies []struct {
			Tuned *struct{ Cost float64 }
			Cost  float64
		}
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return nil, nil, fmt.Errorf("read the report on %s: %w", t.Name, err)
	}
	for _, p := range report.Policies {
		if p.Tuned != nil {
			tuned = append(tuned, p.Tuned.Cost)
		}
	}
	decisions, err = readDecisions(file)
	return decisions, tuned, err
}

func readDecisions(path string) ([]float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	var decisions []float64
	for _, row := range rows[1:] {
		v, err := strconv.ParseFloat(row[1], 64)
		if err != nil {
			return nil, fmt.Errorf("read the decisions: %w", err)
		}
		decisions = append(decisions, v)
	}
	return decisions, nil
}

// usage is what a command used.
type usage struct {
	wall, processor time.Duration
	resident        int64 // most memory, in bytes
}

// execute runs the command line. It returns what it wrote to stdout, and what it used.
func execute(command string, args ...string) ([]byte, usage, error) {
	if _, err := os.Stat(command); err != nil {
		return nil, usage{}, fmt.Errorf("no command at %s: run `make build`, or name it with -headstart", command)
	}
	var out, errs bytes.Buffer
	cmd := exec.Command(command, args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return nil, usage{}, fmt.Errorf("%s %s: %w: %s", command, args[0], err, errs.String())
	}
	u := usage{wall: time.Since(began), processor: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.resident = r.Maxrss * 1024
	}
	return out.Bytes(), u, nil
}
