package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// twoServices returns CSV with two series.
func twoServices() string {
	out := "series,timestamp,value\n"
	for _, name := range []string{"checkout", "search"} {
		for line := range strings.Lines(strings.TrimPrefix(twoWeeks(), "timestamp,value\n")) {
			out += name + "," + line
		}
	}
	return out
}

// A folder, and a file with several series, are fleets. A file that cannot be read is named, and
// the others are reported.
func TestReportOfAFleet(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"web.csv": twoWeeks(), "shop.csv": twoServices(), "broken.csv": "what,is\nthis,1\n", "notes.txt": "no demand",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	capacities := file(t, "capacities.csv", "service,capacity\nshop/search,4\n")
	stdout, stderr, code := headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 -o json "+
		"--policies headstart,reactive,static,oracle", "--input", dir, "--capacities", capacities)
	if code != 1 || !strings.Contains(stderr, "1 of 4 services") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	var bundle struct {
		Reports []struct {
			Name, NotRun string
			Report       *struct{ Input struct{ Capacity float64 } }
		}
	}
	if err := json.Unmarshal([]byte(stdout), &bundle); err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, r := range bundle.Reports {
		if r.Report != nil {
			got[r.Name] = r.Report.Input.Capacity
		} else if r.Name != "broken" || r.NotRun == "" {
			t.Errorf("%s was not replayed: %s", r.Name, r.NotRun)
		}
	}
	if len(got) != 3 || got["web"] != 2.5 || got["shop/checkout"] != 2.5 || got["shop/search"] != 4 {
		t.Errorf("services and capacities %v", got)
	}
	stdout, stderr, code = headstart(t, "report --lead 1h --capacity 2.5 --shortage-cost 20 --day none "+
		"--policies headstart,reactive,static,oracle", "--input", filepath.Join(dir, "shop.csv"))
	if code != 0 || !strings.Contains(stdout, "Of 2 services") {
		t.Errorf("exit %d: %s%s", code, stdout, stderr)
	}
}

func TestReportOfAFleetRefuses(t *testing.T) {
	empty := t.TempDir()
	cases := map[string]struct {
		reason string
		args   []string
		want   string
	}{
		"Empty": {"a folder without CSV", []string{"--input", empty}, "no .csv"},
		"Decisions": {
			"there is one set of decisions for a service",
			[]string{"--input", file(t, "a.csv", twoServices()), "--decisions", "x"},
			"--series",
		},
		"Queries": {
			"a line without a name",
			[]string{"--prometheus", "http://localhost:1", "--queries", file(t, "q", "sum(rate(x[2m]))\n")},
			"line 1",
		},
		"NoServer": {"queries need a server", []string{"--queries", file(t, "q", "a: b\n")}, "--prometheus"},
		"Capacities": {
			"a capacity that is none",
			[]string{"--input", file(t, "a.csv", twoServices()), "--capacities", file(t, "c", "service,capacity\na,0\n")},
			"line 2",
		},
		"CapacityOfNoService": {
			"a service that is mistyped would get the capacity of the others",
			[]string{"--input", file(t, "a.csv", twoServices()), "--capacities", file(t, "c", "service,capacity\nchekout,3\n")},
			`no service "chekout" here: there is checkout, search`,
		},
		"CapacitiesOfOne": {
			"the file would not be read",
			[]string{"--input", file(t, "a.csv", twoWeeks()), "--capacities", file(t, "c", "service,capacity\na,3\n")},
			"give --capacity",
		},
		"CapacitiesOfForecasts": {
			"the file would not be read",
			[]string{"shop/web", "--capacities", file(t, "c", "service,capacity\na,3\n")},
			"give --capacity",
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, stderr, code := headstart(t, "report --lead 1h --capacity 2 --shortage-cost 20", tc.args...)
			if code != 1 || !strings.Contains(stderr, tc.want) {
				t.Errorf("%s: exit %d, %q, want %q", tc.reason, code, stderr, tc.want)
			}
		})
	}
}

// A file is read once, however many series it has: a pipe can be read no more often, and a file
// with thousands of series would take hours.
func TestReportReadsItsInputOnce(t *testing.T) {
	for name, content := range map[string]string{"One": twoWeeks(), "Several": twoServices()} {
		t.Run(name, func(t *testing.T) {
			o := reportOptions{in: inputFlags{input: file(t, "in.csv", content)}}
			f, err := o.fleet()
			if err != nil || (f != nil) != (name == "Several") {
				t.Fatalf("%v, %v", f, err)
			}
			if err := os.Remove(o.in.input); err != nil {
				t.Fatal(err)
			}
			inputs := []inputFlags{o.in}
			if f != nil {
				if o.in.file != nil {
					t.Error("the series of all services stay in memory")
				}
				inputs = []inputFlags{f.services[0].in, f.services[1].in}
			}
			for _, in := range inputs {
				all, err := in.readFile()
				if err != nil {
					t.Fatal(err)
				}
				if one, err := selectSeries(all, in.series); err != nil || one.Name != in.series {
					t.Errorf("%q: %v", one.Name, err)
				}
			}
		})
	}
}
