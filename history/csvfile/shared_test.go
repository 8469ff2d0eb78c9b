package csvfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"headstart.dev/headstart/history/csvfile"
)

// sharedTraces returns the real traces beside the repository; none when there are none.
func sharedTraces(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("HEADSTART_SHARED")
	for up := "."; dir == "" && len(up) < 40; up = filepath.Join("..", up) {
		if _, err := os.Stat(filepath.Join(up, "shared", "data")); err == nil {
			dir = filepath.Join(up, "shared")
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "data", "*.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if dir == "" || len(files) == 0 {
		t.Log("NOTE: no real traces in ../shared/data and HEADSTART_SHARED is not set: they are not tested")
		return nil
	}
	return files
}

func TestOpenRealTraces(t *testing.T) {
	steps := map[string]string{
		"1min": "1m0s", "5min": "5m0s", "10min": "10m0s", "30min": "30m0s", "1h": "1h0m0s", "train": "1h0m0s",
	}
	for _, file := range sharedTraces(t) {
		name := strings.TrimSuffix(filepath.Base(file), ".csv.gz")
		t.Run(name, func(t *testing.T) {
			all, err := csvfile.Open(file, csvfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			want := steps[name[strings.LastIndexByte(name, '_')+1:]]
			for _, s := range all {
				if got := s.Series.Step.String(); got != want {
					t.Errorf("series %q: step %s, want %s, as the file's name says", s.Name, got, want)
				}
				if got, want := s.Timestamp(0), s.Series.Start.Format("2006-01-02T15:04:05Z"); got != want {
					t.Errorf("series %q: first timestamp %s, but it starts at %s", s.Name, got, want)
				}
				if s.Series.Known() < len(s.Series.Values)/2 {
					t.Errorf("series %q: %d of %d steps known", s.Name, s.Series.Known(), len(s.Series.Values))
				}
			}
		})
	}
}
