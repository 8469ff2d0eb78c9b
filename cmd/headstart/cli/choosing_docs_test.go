package cli

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var updateChoosingDocs = flag.Bool("update-choosing-docs", false, "rewrite the figures in docs/choosing.md")

// The figures of docs/choosing.md are those of dry runs with each setting.
func TestChoosingDocs(t *testing.T) {
	if testing.Short() {
		t.Skip("its replays take longer than the other tests of this package")
	}
	path := filepath.Join("..", "..", "..", "docs", "choosing.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| `(--(?:shortage-cost|service-level) [0-9.]+)` \\|.*\\|$")
	rows := 0
	fresh := row.ReplaceAllFunc(text, func(line []byte) []byte {
		rows++
		setting := string(row.FindSubmatch(line)[1])
		out, errs, code := headstart(t, "report --input ../../../testdata/office_hours_5m.csv.gz --lead 10m --capacity 20 "+
			"--from 14d --policies headstart --headroom=false -o json "+setting)
		if code != 0 {
			t.Fatalf("%s: %s", setting, errs)
		}
		var r struct {
			Policies []struct {
				Unserved, Short, ReplicaHours float64
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil || len(r.Policies) == 0 {
			t.Fatalf("%s: %v in %s", setting, err, out)
		}
		p := r.Policies[0]
		return fmt.Appendf(nil, "| `%s` | %.2f %% | %.2f %% | %s |",
			setting, 100*p.Unserved, 100*p.Short, thousands(p.ReplicaHours))
	})
	if rows != 6 {
		t.Errorf("docs/choosing.md has %d settings, want 6", rows)
	}
	if *updateChoosingDocs {
		if err := os.WriteFile(path, fresh, 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(fresh, text) {
		t.Errorf("run this test with -update-choosing-docs; -docs, +now:\n%s", cmp.Diff(string(text), string(fresh)))
	}
}

// thousands formats a number of replica-hours.
func thousands(v float64) string {
	digits := fmt.Sprintf("%.0f", v)
	if len(digits) > 3 {
		return strings.Join([]string{digits[:len(digits)-3], digits[len(digits)-3:]}, ",")
	}
	return digits
}
