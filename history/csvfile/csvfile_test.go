package csvfile_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"headstart.dev/headstart/history"
	"headstart.dev/headstart/history/csvfile"
	"headstart.dev/headstart/testdata/traces"
)

var nan = math.NaN()

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// A csvCase is a file, and what is read from it.
type csvCase struct {
	reason string
	in     []string // lines
	step   time.Duration
	want   []csvSeries
}

type csvSeries struct {
	name   string
	start  string
	step   time.Duration
	values []float64
	stamps string // one more than values, separated by |
}

// csvForms are the forms that a file may have.
func csvForms() map[string]csvCase {
	return map[string]csvCase{
		"plain": {
			reason: "a row stamped t is the step that begins at t; after the end its form continues",
			in:     []string{"timestamp,value", "2026-01-01T00:00:00Z,1", "2026-01-01T00:01:00Z,2.5"},
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Minute,
				[]float64{1, 2.5},
				"2026-01-01T00:00:00Z|2026-01-01T00:01:00Z|2026-01-01T00:02:00Z",
			}},
		},
		"gaps": {
			reason: "an empty value, NaN and a missing row are all gaps",
			in: []string{
				"timestamp,value",
				"2026-01-01T00:00:00Z,1", "2026-01-01T01:00:00Z,", "2026-01-01T02:00:00Z,NaN", "2026-01-01T04:00:00Z,4",
			},
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Hour,
				[]float64{1, nan, nan, nan, 4},
				"2026-01-01T00:00:00Z|2026-01-01T01:00:00Z|2026-01-01T02:00:00Z|2026-01-01T03:00:00Z|" +
					"2026-01-01T04:00:00Z|2026-01-01T05:00:00Z",
			}},
		},
		"several series, interleaved": {
			reason: "series keep the order of their first rows; each has its own step",
			in: []string{
				"series,timestamp,value",
				"b,2026-01-01T00:00:00Z,1", "a,2026-01-01T00:00:00Z,5",
				"b,2026-01-01T00:10:00Z,2", "a,2026-01-01T01:00:00Z,6",
			},
			want: []csvSeries{{
				"b", "2026-01-01T00:00:00Z", 10 * time.Minute,
				[]float64{1, 2},
				"2026-01-01T00:00:00Z|2026-01-01T00:10:00Z|2026-01-01T00:20:00Z",
			}, {
				"a", "2026-01-01T00:00:00Z", time.Hour,
				[]float64{5, 6},
				"2026-01-01T00:00:00Z|2026-01-01T01:00:00Z|2026-01-01T02:00:00Z",
			}},
		},
		"unix seconds": {
			reason: "what a PromQL export writes",
			in:     []string{"timestamp,value\r", "1767225600,1\r", "1767225660,2\r"},
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Minute, []float64{1, 2}, "1767225600|1767225660|1767225720",
			}},
		},
		"unix milliseconds, upper case and a byte order mark": {
			reason: "what a dashboard's export writes",
			in:     []string{"\ufeffTimestamp, Value", "1767225600000,1", "1767225660000,2"},
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Minute, []float64{1, 2}, "1767225600000|1767225660000|1767225720000",
			}},
		},
	}
}

// csvClocks are files whose timestamps are not on a simple grid.
func csvClocks() map[string]csvCase {
	return map[string]csvCase{
		"spring on a local clock": {
			reason: "01:00+01:00 and 03:00+02:00 are neighbours; the file's own timestamps are kept",
			in: []string{
				"timestamp,value",
				"2026-03-29T00:00:00+01:00,1", "2026-03-29T01:00:00+01:00,2", "2026-03-29T03:00:00+02:00,3",
			},
			want: []csvSeries{{
				"", "2026-03-28T23:00:00Z", time.Hour,
				[]float64{1, 2, 3},
				"2026-03-29T00:00:00+01:00|2026-03-29T01:00:00+01:00|2026-03-29T03:00:00+02:00|" +
					"2026-03-29T03:00:00+01:00",
			}},
		},
		"days on a local clock": {
			reason: "a local day of 23 hours is still one step",
			in: []string{
				"timestamp,value",
				"2026-03-28T00:00:00+01:00,1", "2026-03-29T00:00:00+01:00,2", "2026-03-30T00:00:00+02:00,3",
				"2026-03-31T00:00:00+02:00,4",
			},
			want: []csvSeries{{
				"", "2026-03-27T00:00:00Z", 24 * time.Hour,
				[]float64{1, 2, 3, 4},
				"2026-03-28T00:00:00+01:00|2026-03-29T00:00:00+01:00|2026-03-30T00:00:00+02:00|" +
					"2026-03-31T00:00:00+02:00|2026-04-01T00:00:00+01:00",
			}},
		},
		"off the grid": {
			reason: "rows that begin at :07 and jitter by seconds are steps of the grid below them",
			in: []string{
				"timestamp,value",
				"2026-01-01 00:00:07,1", "2026-01-01 00:01:07,2", "2026-01-01 00:02:05,3", "2026-01-01 00:03:05,4",
			},
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Minute,
				[]float64{1, 2, 3, 4},
				"2026-01-01 00:00:07|2026-01-01 00:01:07|2026-01-01 00:02:05|2026-01-01 00:03:05|2026-01-01 00:04:07",
			}},
		},
		"one row and a given step": {
			reason: "a step that cannot be inferred can be given",
			in:     []string{"timestamp,value", "2026-01-01T00:00:00Z,1"},
			step:   time.Hour,
			want: []csvSeries{{
				"", "2026-01-01T00:00:00Z", time.Hour, []float64{1}, "2026-01-01T00:00:00Z|2026-01-01T01:00:00Z",
			}},
		},
	}
}

func TestRead(t *testing.T) {
	for _, cases := range []map[string]csvCase{csvForms(), csvClocks()} {
		for name, tc := range cases {
			t.Run(name, tc.test)
		}
	}
}

func (c csvCase) test(t *testing.T) {
	in := strings.NewReader(strings.Join(c.in, "\n") + "\n")
	all, err := csvfile.Read(in, csvfile.Options{Step: c.step})
	if err != nil {
		t.Fatalf("%v\nReason: %s", err, c.reason)
	}
	var got []csvSeries
	for _, n := range all {
		var stamps []string
		for i := range len(n.Series.Values) + 1 {
			stamps = append(stamps, n.Timestamp(i))
		}
		start := n.Series.Start.Format(time.RFC3339)
		got = append(got, csvSeries{n.Name, start, n.Series.Step, n.Series.Values, strings.Join(stamps, "|")})
	}
	if diff := cmp.Diff(c.want, got, cmpopts.EquateNaNs(), cmp.AllowUnexported(csvSeries{})); diff != "" {
		t.Errorf("Reason: %s\n-want, +got:\n%s", c.reason, diff)
	}
}

func TestReadErrors(t *testing.T) {
	const head = "timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,1\n"
	cases := map[string]struct {
		in   string
		line int // 0: the error is about no line
		want string
	}{
		"empty":             {"", 0, "header must be"},
		"header only":       {"timestamp,value\n", 0, "no rows"},
		"other header":      {"clock;load\n1;2\n", 1, "separated by commas, semicolons or tabs"},
		"no header":         {"2026-01-01T00:00:00Z,1\n", 1, "give the step"},
		"no header, three":  {"2026-01-01T00:00:00Z,1,2\n2026-01-01T00:01:00Z,2,3\n", 1, "header must be"},
		"no header, series": {"web,2026-01-01T00:00:00Z,1\nweb,2026-01-01T00:01:00Z,2\n", 1, "header must be"},
		"no header, text":   {"2026-01-01T00:00:00Z,up\n2026-01-01T00:01:00Z,down\n", 1, "header must be"},
		"no header, counts": {"123456789,1\n123456790,2\n", 1, "header must be"},
		"numbers, no names": {"order,count\n1767225600,1\n1767225660,2\n", 1, "header must be"},
		"no serial":         {"time,value\n20000,1\n20060,2\n", 2, "is not a time"},
		"short groups":      {head + "2026-01-01T00:02:00Z,1 23\n", 4, "not a finite number"},
		"bad time":          {head + "yesterday,1\n", 4, `"yesterday" is not a time: write it as`},
		"no time":           {head + ",1\n", 4, "timestamp is empty"},
		"year out of range": {head + "9999-01-01T00:00:00Z,1\n", 4, "between the years"},
		"bad value":         {head + "2026-01-01T00:02:00Z,12x\n", 4, `value "12x" is not a finite number`},
		"infinite value":    {head + "2026-01-01T00:02:00Z,+Inf\n", 4, "not a finite number"},
		"value too large":   {head + "2026-01-01T00:02:00Z,1e19\n", 4, "use a larger unit"},
		"split seconds": {
			"timestamp,value\n2026-01-01T00:00:00.0Z,1\n2026-01-01T00:00:00.1Z,1\n2026-01-01T00:00:00.2Z,1\n",
			2, "steps of at least 1s",
		},
		"negative value":  {head + "2026-01-01T00:02:00Z,-3\n", 4, "negative"},
		"too few fields":  {head + "2026-01-01T00:02:00Z\n", 4, "1 fields, but the header has 2"},
		"too many fields": {head + "a,2026-01-01T00:02:00Z,3\n", 4, "3 fields, but the header has 2"},
		"duplicate":       {head + "2026-01-01T00:01:00Z,2\n", 4, "already on line 3, with another value"},
		"month and day":   {head + "01/02/2026 00:02,1\n", 4, "which is the day and which is the month"},
		"month and day, all": {
			"time,value\n01/02/2026 00:00,1\n01/02/2026 00:01,1\n", 2, "and no other row does",
		},
		"two orders": {
			"time,value\n16/03/2026 00:00,1\n03/16/2026 00:01,1\n", 3,
			`"03/16/2026 00:01" has the month first, and "16/03/2026 00:00" before it the day first`,
		},
		"two digits":  {"time,value\n3/16/26 00:00,1\n3/16/26 00:01,1\n", 2, "no year of four digits"},
		"no month":    {"time,value\n16/16/2026 00:00,1\n", 2, "is not a time"},
		"no day":      {"time,value\n31/02/2026 00:00,1\n", 2, "is not a time"},
		"no day late": {"time,value\n02/31/2026 00:00,1\n", 2, "is not a time"},
		"with a unit": {head + "2026-01-01T00:02:00Z,3 req/s\n", 4, `value "3 req/s" is not a finite number: write plain`},
		"thousands":   {head + "2026-01-01T00:02:00Z,1.5k\n", 4, `"Formatted data" off`},
		"bytes":       {head + "2026-01-01T00:02:00Z,3 GiB\n", 4, "without a unit"},
		"percent":     {head + "2026-01-01T00:02:00Z,45%\n", 4, "without a unit"},
		"doubtful comma": {
			"Time;Value\n2026-01-01T00:00:00Z;1,234\n2026-01-01T00:01:00Z;2,345\n", 2, "can mean a thousand times",
		},
		"comma and point": {
			"Time;Value\n2026-01-01T00:00:00Z;1,25\n2026-01-01T00:01:00Z;2.5\n", 3, "different decimal separators",
		},
		"duplicate in series": {
			"series,timestamp,value\na,2026-01-01T00:00:00Z,1\nb,2026-01-01T00:00:00Z,1\na,2026-01-01T00:00:00Z,3\n",
			4, `of series "a" was already on line 2`,
		},
		"between two steps": {
			head + "2026-01-01T00:02:00Z,1\n2026-01-01T00:02:20Z,1\n", 5, "falls into the same step",
		},
		"far away":          {head + "2126-01-01T00:02:00Z,1\n", 4, "check both times"},
		"a century apart":   {"timestamp,value\n1900-01-01,1\n2190-01-01,1\n", 3, "more than a year apart"},
		"quote":             {head + "\"2026-01-01T00:02:00Z,1\n", 4, "not CSV"},
		"blank lines count": {head + "\n\nx,1\n", 6, "is not a time"},
		"one row":           {"timestamp,value\n2026-01-01T00:00:00Z,1\n", 2, "give the step"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := csvfile.Read(strings.NewReader(tc.in), csvfile.Options{})
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Fatalf("got %v, want an error with %q", err, tc.want)
			}
			var row *csvfile.RowError
			if errors.As(err, &row) != (tc.line > 0) || tc.line > 0 && row.Line != tc.line {
				t.Errorf("got %q, want line %d", err, tc.line)
			}
		})
	}
}

func TestReadOptions(t *testing.T) {
	_, err := csvfile.Read(strings.NewReader("timestamp,value\n"), csvfile.Options{Step: -1})
	if err == nil || !strings.Contains(err.Error(), "between 0 and a year") {
		t.Errorf("a negative step: %v", err)
	}
	_, err = csvfile.Open(filepath.Join(t.TempDir(), "none.csv"), csvfile.Options{})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	broken := filepath.Join(t.TempDir(), "broken.csv.gz")
	if err := os.WriteFile(broken, []byte("\x1f\x8bnothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = csvfile.Open(broken, csvfile.Options{})
	if err == nil || !strings.Contains(err.Error(), "broken.csv.gz") {
		t.Errorf("a broken gzip file: %v", err)
	}
}

// TestSyntheticTraces checks that the committed files are those that the generator makes, and that
// reading them gives the generated series.
func TestSyntheticTraces(t *testing.T) {
	for name, made := range traces.Files() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join("..", "..", "testdata", name+".csv.gz")
			f, err := os.Open(path)
			if err != nil {
				t.Fatalf("%v: run go run ./testdata/generate", err)
			}
			defer f.Close()
			z, err := gzip.NewReader(f)
			if err != nil {
				t.Fatal(err)
			}
			committed, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			var fresh bytes.Buffer
			if err := traces.Write(&fresh, made...); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(committed, fresh.Bytes()) {
				t.Fatalf("%s is not what the generator makes: run go run ./testdata/generate", path)
			}
			all, err := csvfile.Open(path, csvfile.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i, n := range all {
				want := made[i]
				for d := range want.Drop {
					want.Values[d] = nan
				}
				got := traces.Trace{
					Name: want.Name, Series: n.Name,
					Start: n.Series.Start, Step: n.Series.Step, Values: n.Series.Values,
				}
				ignored := cmpopts.IgnoreFields(traces.Trace{}, "Drop")
				if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), ignored); diff != "" {
					t.Errorf("-made, +read:\n%s", diff)
				}
			}
		})
	}
}

// FuzzReadHeader reads two rows below any header.
func FuzzReadHeader(f *testing.F) {
	for _, header := range []string{
		"timestamp,value", "\ufeff\"Time\";\"Value\"", "sep=;\nSeries;Time;Value", "Time,{a=\"b,c\"},d", "Label,x\nPeriod,60",
		"Timestamp\tAverage\tUnit", "Zeit;Wert", "Label,x,\nId,m1,", "#group,false\n,result,table,_start,_stop,_time,_value",
	} {
		f.Add(header, "46023.5,1\r46024,1 234,5\rThu Jan 01 2026 00:00:00 GMT+0000 (X),2")
		f.Add(header, "1767225600,1\n1767225660,2\n")
		f.Add(header, "03/11/2026 1:00 PM,1\n03/12/2026 1:00 PM,2\n13/03/2026, 13:00:00,3")
		f.Add(header, "2026/01/01 00:00:00;1,5;x\n2026/01/01 00:01:00;2,5;y")
	}
	f.Fuzz(func(t *testing.T, header, rows string) {
		all, err := csvfile.Read(strings.NewReader(header+"\n"+rows), csvfile.Options{})
		if (err == nil) != (len(all) > 0) {
			t.Fatalf("%d series, and the error %v", len(all), err)
		}
		for _, n := range all {
			for i := range n.Series.Values {
				if n.Line(i) < 0 || n.Timestamp(i) == "" {
					t.Fatalf("step %d is on line %d", i, n.Line(i))
				}
			}
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("timestamp,value\n2026-01-01T00:00:00Z,1\n2026-01-01T00:01:00Z,\n2026-01-01T00:05:00Z,2\n", int64(0))
	f.Add("series,timestamp,value\na,1767225600,1\nb,1767225600000,2\na,1767225660.5,3\n", int64(time.Minute))
	f.Add("timestamp,value\n2026-03-29T00:00:00+01:00,1\n2026-03-29T03:00:00+02:00,2\n", int64(time.Hour))
	f.Add("timestamp,value\n1900-01-01,1\n2190-01-01,2\n", int64(365*24*time.Hour))
	f.Fuzz(func(t *testing.T, in string, step int64) {
		all, err := csvfile.Read(strings.NewReader(in), csvfile.Options{Step: time.Duration(step)})
		if err != nil {
			return
		}
		for _, n := range all {
			s := n.Series
			if s.Step <= 0 || len(s.Values) == 0 || !history.FloorTo(s.Start, s.Step).Equal(s.Start) {
				t.Fatalf("series %q starts at %s with step %s and %d values", n.Name, s.Start, s.Step, len(s.Values))
			}
			for i, v := range s.Values {
				if math.IsInf(v, 0) || v < 0 {
					t.Fatalf("value %v at step %d", v, i)
				}
			}
			if n.Timestamp(0) == "" || n.Timestamp(len(s.Values)) == "" {
				t.Fatal("a step without a timestamp")
			}
		}
	})
}

// BenchmarkRead reads 28 days of minutes.
func BenchmarkRead(b *testing.B) {
	var file bytes.Buffer
	if err := traces.Write(&file, traces.OfficeHours(time.Minute, 28, 1)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(file.Len()))
	for b.Loop() {
		if _, err := csvfile.Read(bytes.NewReader(file.Bytes()), csvfile.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
