package history

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v2"
)

// anyNamespace in [SourceConfig.Namespaces] opens a source to all of them.
const anyNamespace = "*"

// SourceConfig is one Prometheus, or any server of its HTTP API, as the configuration file
// describes it.
type SourceConfig struct {
	// Name is what a Forecast calls it. Forecasts that name none use "default".
	Name string `yaml:"name"`
	// URL is the address under which /api/v1/query_range is found. It holds no credentials: they
	// belong in HTTPClientConfig.
	URL string `yaml:"url"`
	// HTTPClientConfig is Prometheus's own HTTP client configuration: TLS, basic, bearer and OAuth2
	// authentication, headers, proxy. Relative file names are relative to the configuration file.
	// Files are read again when they change.
	HTTPClientConfig *config.HTTPClientConfig `yaml:"httpClientConfig"`
	// Transport sends requests instead of HTTPClientConfig; nil uses that. No file can set it. Redirects
	// are not followed.
	Transport http.RoundTripper `yaml:"-"`
	// Words are those of errors, which then do not name the source; nil has those of the configuration
	// file. No file can set them.
	Words *Words `yaml:"-"`
	// Namespaces are those whose Forecasts may use the source; "*" is any. At least one is needed.
	Namespaces []string `yaml:"namespaces"`
	// EnforceNamespaceLabel, when set, is a label that every selector of a query must have, with
	// the Forecast's namespace as its value. It is added to selectors without it. A selector that
	// matches another value is an error.
	EnforceNamespaceLabel string `yaml:"enforceNamespaceLabel"`
	// Timeout bounds one request, and the wait for a free slot before it. 30 s by default.
	Timeout model.Duration `yaml:"timeout"`
	// Concurrency is how many requests are in flight at once. 4 by default: history is read rarely,
	// and Prometheus has dashboards to serve as well.
	Concurrency int `yaml:"concurrency"`
	// MaxPointsPerRequest is the most steps of one request. 10080 (a week of minutes) by default;
	// Prometheus rejects more than 11000.
	MaxPointsPerRequest int `yaml:"maxPointsPerRequest"`
}

// The defaults of a SourceConfig.
const (
	defaultTimeout     = 30 * time.Second
	defaultConcurrency = 4
	defaultMaxPoints   = 10080
)

func (c *SourceConfig) setDefaults() {
	if c.Timeout == 0 {
		c.Timeout = model.Duration(defaultTimeout)
	}
	if c.Concurrency == 0 {
		c.Concurrency = defaultConcurrency
	}
	if c.MaxPointsPerRequest == 0 {
		c.MaxPointsPerRequest = defaultMaxPoints
	}
	if c.HTTPClientConfig == nil {
		c.HTTPClientConfig = new(config.DefaultHTTPClientConfig)
	}
}

func (c *SourceConfig) validate() error {
	if c.Name == "" {
		return errors.New(`name is missing: "default" is the one that Forecasts use unless they name another`)
	}
	words := fileWords()
	if c.Words != nil {
		words = *c.Words
	}
	if err := validateURL(c.URL, words); err != nil {
		return err
	}
	switch {
	case len(c.Namespaces) == 0:
		return errors.New(`namespaces is empty, so that no Forecast could use the source: name them, or "*" for any`)
	case c.EnforceNamespaceLabel != "" && !model.LegacyValidation.IsValidLabelName(c.EnforceNamespaceLabel):
		return fmt.Errorf("enforceNamespaceLabel %q is not a label name", c.EnforceNamespaceLabel)
	case c.Timeout < 0 || time.Duration(c.Timeout) > 10*time.Minute:
		return fmt.Errorf("timeout %s must be between 0 and 10m", c.Timeout)
	case c.Concurrency < 0 || c.Concurrency > 1000:
		return fmt.Errorf("concurrency %d must be between 1 and 1000", c.Concurrency)
	case c.MaxPointsPerRequest < 1 || c.MaxPointsPerRequest > 11000:
		return fmt.Errorf("maxPointsPerRequest %d must be between 1 and 11000", c.MaxPointsPerRequest)
	}
	return c.HTTPClientConfig.Validate()
}

func validateURL(text string, words Words) error {
	const give = "give the address of Prometheus, such as http://prometheus.monitoring:9090"
	if text == "" {
		return fmt.Errorf("%s is missing: %s", words.URL, give)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil: // its text would repeat the URL, with whatever is in it
		return fmt.Errorf("%s cannot be parsed: %s", words.URL, give)
	case u.User != nil:
		return fmt.Errorf("%s must not hold credentials: put them into basic_auth of %s, best with password_file",
			words.URL, words.HTTPClientConfig)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return fmt.Errorf("%s must begin with http:// or https:// and a host: it is %q", words.URL, redact(u))
	}
	return nil
}

// redact returns u without user, query and fragment, any of which may hold a credential.
func redact(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Sources are the Prometheus servers of one configuration file. Its methods are safe for concurrent
// use.
type Sources struct {
	path string

	mu       sync.RWMutex
	text     []byte
	backends map[string]*backend
}

// LoadSources reads the configuration file at path: a list "sources" of [SourceConfig].
func LoadSources(path string) (*Sources, error) {
	s := &Sources{path: path}
	if _, err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the configuration file again and reports whether it changed. An invalid file is an
// error and changes nothing. An existing [Source] follows the new configuration from its next
// request on.
func (s *Sources) Reload() (bool, error) {
	text, err := os.ReadFile(s.path)
	if err != nil {
		return false, fmt.Errorf("reading the Prometheus sources: %w", err)
	}
	s.mu.RLock()
	same := s.backends != nil && bytes.Equal(text, s.text)
	s.mu.RUnlock()
	if same {
		return false, nil
	}
	backends, err := parseSources(text, filepath.Dir(s.path))
	if err != nil {
		return false, fmt.Errorf("reading the Prometheus sources from %s: %w", s.path, err)
	}
	s.mu.Lock()
	old := s.backends
	s.text, s.backends = text, backends
	s.mu.Unlock()
	for _, b := range old {
		b.close()
	}
	return true, nil
}

// quoted matches a part of the file in a message of the YAML library. The part may be a secret in
// the wrong place.
var quoted = regexp.MustCompile("`[^`]*`")

func parseSources(text []byte, dir string) (map[string]*backend, error) {
	var file struct {
		Sources []SourceConfig `yaml:"sources"`
	}
	if err := yaml.UnmarshalStrict(text, &file); err != nil {
		return nil, errors.New(quoted.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "(value)"))
	}
	if len(file.Sources) == 0 {
		return nil, errors.New(`"sources" is empty: name at least one Prometheus`)
	}
	backends := make(map[string]*backend, len(file.Sources))
	for i, c := range file.Sources {
		c.setDefaults()
		c.HTTPClientConfig.SetDirectory(dir)
		if backends[c.Name] != nil {
			return nil, fmt.Errorf("sources[%d]: the name %q is used twice", i, c.Name)
		}
		b, err := newBackend(c)
		if err != nil {
			return nil, fmt.Errorf("sources[%d] (%q): %w", i, c.Name, err)
		}
		backends[c.Name] = b
	}
	return backends, nil
}

// NewSource returns a source that no configuration file has, open to any namespace: that of a
// command line. Its name is "default" unless c has one.
func NewSource(c SourceConfig) (*Source, error) {
	if c.Name == "" {
		c.Name = "default"
	}
	c.Namespaces = []string{anyNamespace}
	c.setDefaults()
	b, err := newBackend(c)
	switch {
	case err != nil && c.Words != nil:
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("source %q: %w", c.Name, err)
	}
	all := &Sources{backends: map[string]*backend{c.Name: b}}
	return &Source{sources: all, name: c.Name, words: c.Words}, nil
}

// Names returns the names of all sources, sorted.
func (s *Sources) Names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	names := make([]string, 0, len(s.backends))
	for name := range s.backends {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// For returns the source of this name as seen from a namespace. The error is of the kind
// [ErrSourceUnknown] or [ErrSourceForbidden].
func (s *Sources) For(namespace, name string) (*Source, error) {
	src := &Source{sources: s, name: name, namespace: namespace}
	if _, err := src.backend(); err != nil {
		return nil, err
	}
	return src, nil
}

// lookup returns the backend of a source that the namespace may use.
func (s *Sources) lookup(namespace, name string) (*backend, error) {
	s.mu.RLock()
	b := s.backends[name]
	s.mu.RUnlock()
	if b == nil {
		return nil, errf(ErrSourceUnknown, "no Prometheus source is named %q: the configuration file has %s; correct "+
			"spec.demand.prometheus.source, or add the source", name, strings.Join(s.Names(), ", "))
	}
	if !b.admits(namespace) {
		return nil, errf(ErrSourceForbidden, "the Prometheus source %q is not open to namespace %q: add it to the "+
			"source's namespaces, or use another source", name, namespace)
	}
	return b, nil
}
