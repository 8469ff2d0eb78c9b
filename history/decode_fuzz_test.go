package history

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"headstart.dev/headstart/history/internal/jsonstream"
)

// FuzzAnswer reads whatever a server may answer, as the answer to both kinds of queries. What is
// accepted is demand of the steps that were asked for.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		`{"status":"success","data":{"resultType":"matrix","result":[
			{"metric":{"a":"b"},"values":[[60,"1.5"],[120,"NaN"]]}]}}`,
		`{"data":{"result":[{"values":[[60,"-3"],[180,"1e300"]],"metric":{}}],"resultType":"matrix"},"status":"success"}`,
		`{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[600.25,"7"]}]},"warnings":["w"]}`,
		`{"status":"success","isPartial":true,"infos":["i"],"data":{"resultType":"matrix","result":[]}}`,
		`{"status":"error","errorType":"bad_data","error":"parse error"}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"histograms":[[60,{"count":"1"}]]}]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"values":[[60,"1"]]},{"metric":{"b":"c"}}]}}`,
		`{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}`,
		`{"status":"success","data":{"resultType":"matrix","result":[{"values":[[1e300,"1"],[60,"1","x"]]}]}}`,
	} {
		f.Add([]byte(text))
	}
	asked := span{start: time.Unix(0, 0).UTC(), step: time.Minute, steps: 10}
	f.Fuzz(func(t *testing.T, text []byte) {
		decode := func(read func(*jsonstream.Decoder) error) error {
			d := jsonstream.NewDecoder(bytes.NewReader(text))
			return errors.Join(read(d), d.End())
		}
		part := rangeDecoder{span: asked}
		if decode(part.decode) == nil {
			if v := part.answer.values; v != nil && len(v) != asked.steps {
				t.Fatalf("%d values of %d steps", len(v), asked.steps)
			}
			for i, v := range part.answer.values {
				if !math.IsNaN(v) && !(v >= 0 && v <= MaxDemand) {
					t.Fatalf("demand %v at step %d", v, i)
				}
			}
			if p := part.answer.notes.Partial; p != 0 && p != asked.steps {
				t.Fatalf("%d of %d steps are partial", p, asked.steps)
			}
		}
		latest := instantDecoder{at: asked.end()}
		if decode(latest.decode) == nil {
			s := latest.answer
			if !(s.Value >= 0 && s.Value <= MaxDemand) || s.At.Before(asked.end().Add(-oldestSample)) ||
				s.At.After(asked.end().Add(newestSample)) {
				t.Fatalf("demand %v at %s", s.Value, s.At)
			}
		}
	})
}
