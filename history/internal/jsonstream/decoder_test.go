package jsonstream_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"headstart.dev/headstart/history/internal/jsonstream"
)

// value reads any value as encoding/json does. A null becomes an empty value of its place.
func value(d *jsonstream.Decoder) (any, error) {
	kind, err := d.Kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case '{':
		out := map[string]any{}
		return out, d.Object(func(key string) error {
			v, err := value(d)
			out[key] = v
			return err
		})
	case '[':
		out := []any{}
		return out, d.Array(func() error {
			v, err := value(d)
			out = append(out, v)
			return err
		})
	case '"':
		return d.String()
	case 't', 'f':
		return d.Bool()
	case 'n':
		return nil, d.Array(func() error { return errors.New("null has no elements") })
	}
	return d.Float()
}

// decode reads a text that holds one value.
func decode(text string) (any, error) {
	d := jsonstream.NewDecoder(iotest.OneByteReader(strings.NewReader(text)))
	v, err := value(d)
	if err == nil {
		err = d.End()
	}
	if list, ok := v.([]any); ok && len(list) == 0 {
		v = []any{}
	}
	return v, err
}

func TestDecoder(t *testing.T) {
	for name, text := range map[string]string{
		"an answer of Prometheus": `{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"a":"b"},` +
			`"values":[[1772409540,"1"],[1772409600.5,"NaN"]]}]},"warnings":["w"]}`,
		"white space": " {\n\t\"a\" : [ 1 ,\r\n 2 ] } ",
		"escapes":     `["\"\\\/\b\f\n\r\t\u00e9\u20ac\ud83d\ude00", "\ud83d", "\ud83dx"]`,
		"words":       `[true,false]`,
		"numbers":     `[0,-1,1.5,2e3,1E-7]`,
		"empty":       `[{},[],""]`,
	} {
		var want any
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if got, err := decode(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %#v, %v; want %#v", name, got, err, want)
		}
	}
}

func TestDecoderErrors(t *testing.T) {
	for name, text := range map[string]string{
		"nothing": "", "a word": "hello", "an open object": `{"a":1`, "an open string": `"abc`,
		"a comma too many": "[1,]", "no comma": "[1 2]", "no colon": `{"a" 1}`, "a key without quotes": "{a:1}",
		"two values": "1 2", "an escape": `"\x"`, "a digit": `"\u12g4"`, "a control character": "\"\n\"",
		"a word cut short": "tru", "brackets that differ": "[}", "too deep": strings.Repeat("[", 1000),
		"a number": "1-1",
	} {
		if got, err := decode(text); !errors.Is(err, jsonstream.ErrSyntax) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	broken := errors.New("connection reset")
	d := jsonstream.NewDecoder(io.MultiReader(strings.NewReader(`{"a":[1,`), iotest.ErrReader(broken)))
	if _, err := value(d); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the reader", err)
	}
}

// repeated is a reader of so many bytes of one value.
type repeated struct {
	c    byte
	left int
}

func (r *repeated) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left)
	for i := range p[:n] {
		p[i] = r.c
	}
	r.left -= n
	return n, nil
}

// However long a value is, what is kept of it is small.
func TestMemoryIsBounded(t *testing.T) {
	const size = 64 << 20
	for name, tc := range map[string]struct {
		head string
		c    byte
		read func(*jsonstream.Decoder) error
		want error
	}{
		"a long string": {
			`"`, 'x', func(d *jsonstream.Decoder) error { _, err := d.String(); return err },
			jsonstream.ErrTooLong,
		},
		"a long string that is skipped": {`"`, 'x', (*jsonstream.Decoder).Skip, jsonstream.ErrSyntax},
		"a long number":                 {"", '1', (*jsonstream.Decoder).Skip, jsonstream.ErrTooLong},
		"white space":                   {"", ' ', (*jsonstream.Decoder).Skip, jsonstream.ErrSyntax},
		"deep":                          {"", '[', (*jsonstream.Decoder).Skip, jsonstream.ErrSyntax},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := jsonstream.NewDecoder(io.MultiReader(strings.NewReader(tc.head), &repeated{tc.c, size}))
		if err := tc.read(d); !errors.Is(err, tc.want) {
			t.Errorf("%s: got %v, want %v", name, err, tc.want)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 256<<10 {
			t.Errorf("%s: %d KiB were allocated, want at most 256", name, took>>10)
		}
	}
}

// FuzzDecoder checks that what is JSON for encoding/json gives the same value here, and that what
// is accepted here and skipped is the same.
func FuzzDecoder(f *testing.F) {
	for _, text := range []string{
		`{"a":[1,"x",null,true]}`, `"\ud83d\ude00"`, `[[],{}]`, "1e999", `{"a":1,"a":2}`, "[1,]", `"\u0000"`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want any
		valid := json.Unmarshal(text, &want) == nil
		got, err := decode(string(text))
		if valid && err != nil && len(text) < 100 { // longer ones may be too deep
			t.Fatalf("valid JSON is refused: %v", err)
		}
		if valid && err == nil && utf8.Valid(text) && !reflect.DeepEqual(got, want) {
			t.Fatalf("got %#v, want %#v", got, want)
		}
		d := jsonstream.NewDecoder(bytes.NewReader(text))
		skipped := d.Skip()
		if skipped == nil {
			skipped = d.End()
		}
		if valid && err == nil && skipped != nil {
			t.Fatalf("skipping fails: %v", skipped)
		}
	})
}
