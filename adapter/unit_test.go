package adapter

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes/fake"
	"pgregory.net/rapid"
)

func TestMilli(t *testing.T) {
	cases := map[string]struct {
		reason string
		demand float64
		want   int64
		ok     bool
	}{
		"fraction":     {"0.9 is not 0", 0.9, 900, true},
		"no overshoot": {"1.1 × 1000 is a hair above 1100 in binary and must stay 1100", 1.1, 1100, true},
		"tiny":         {"a demand above 0 is not scaled to zero", 1e-9, 1, true},
		"zero":         {"a forecast of 0 is 0", 0, 0, true},
		"negative":     {"there is no negative demand", -3, 0, true},
		"huge":         {"saturates", 1e300, MaxMilli, true},
		"NaN":          {"unknown is not a number to serve", math.NaN(), 0, false},
		"infinite":     {"nor is this", math.Inf(1), 0, false},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got, ok := Milli(tc.demand); got != tc.want || ok != tc.ok {
				t.Errorf("%s: Milli(%v) = %d, %t, want %d, %t", tc.reason, tc.demand, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestMilliKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64Range(0, 1e17).Draw(t, "a"), rapid.Float64Range(0, 1e17).Draw(t, "b")
		ma, _ := Milli(min(a, b))
		mb, _ := Milli(max(a, b))
		if ma > mb || ma < 0 || mb > MaxMilli {
			t.Fatalf("Milli is not monotonous within its bounds: %v → %d, %v → %d", min(a, b), ma, max(a, b), mb)
		}
	})
}

func TestOptions(t *testing.T) {
	good := func() Options {
		cert, err := dynamiccertificates.NewStaticCertKeyContent("test", nil, nil)
		_ = err // the certificate is not used here
		return Options{
			ExternalMetrics: true, Client: fake.NewClientset(), ReviewClient: fake.NewClientset(),
			Cert: cert, CertFile: "a", KeyFile: "b",
		}
	}
	cases := map[string]struct {
		change func(*Options)
		want   string
	}{
		"good":          {func(*Options) {}, ""},
		"KEDA alone":    {func(o *Options) { o.ExternalMetrics = false }, ""},
		"no client":     {func(o *Options) { o.Client = nil }, "client or review client is missing"},
		"no reviews":    {func(o *Options) { o.ReviewClient = nil }, "review client is missing"},
		"half a pair":   {func(o *Options) { o.KeyFile = "" }, "give both"},
		"no cert":       {func(o *Options) { o.CertFile, o.KeyFile, o.Cert = "", "", nil }, "no serving certificate"},
		"port":          {func(o *Options) { o.SecurePort = 70000 }, "port 70000"},
		"address":       {func(o *Options) { o.BindAddress = "localhost" }, `"localhost" is not an IP`},
		"negative":      {func(o *Options) { o.ShutdownDelay = -1 }, "negative"},
		"goaway":        {func(o *Options) { o.GoawayChance = 0.5 }, "GOAWAY"},
		"default cache": {func(o *Options) { o.AuthCacheTTL = 0 }, ""},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			o := good()
			tc.change(&o)
			o = o.withDefaults()
			err := o.validate()
			if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got error %v, want one that says %q", err, tc.want)
			}
			if o.AuthCacheTTL != time.Minute {
				t.Errorf("access reviews are cached for %s, want a minute", o.AuthCacheTTL)
			}
		})
	}
}

func TestInstrumentsLint(t *testing.T) {
	reg := prometheus.NewRegistry()
	i, err := newInstruments(reg)
	if err != nil {
		t.Fatal(err)
	}
	i.countServed(apiExternal, time.Minute, time.Microsecond)
	i.countFailed(apiCustom, &Unavailable{Reason: ReasonNoPlan})
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n != 4 {
		t.Errorf("gathered %d series (%v), want 4", n, err)
	}
	if _, err := newInstruments(reg); err == nil {
		t.Error("a second registration is no error")
	}
}

func TestUnion(t *testing.T) {
	gauge := func(name string, value float64) *prometheus.Registry {
		reg := prometheus.NewRegistry()
		g := prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: "A gauge."})
		g.Set(value)
		reg.MustRegister(g)
		return reg
	}
	union := Union(gauge("b", 1), nil, gauge("b", 2), gauge("a", 3))
	want := "# HELP a A gauge.\n# TYPE a gauge\na 3\n# HELP b A gauge.\n# TYPE b gauge\nb 1\n"
	if err := testutil.GatherAndCompare(union, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}
