package history

// Words are what messages call the settings of a source. Those of a configuration file are not those
// of a command line.
type Words struct {
	// URL and HTTPClientConfig are the settings of these names.
	URL, HTTPClientConfig string
	// Reader is the program whose connections reach the source.
	Reader string
	// OrRaiseTimeout and OrRaiseConcurrency advise to raise these settings. They follow other advice,
	// after ", or ". Both are empty where nobody can raise them.
	OrRaiseTimeout, OrRaiseConcurrency string
	// OrReach says how else the source may be reached, in the same place.
	OrReach string
}

// fileWords returns those of the configuration file.
func fileWords() Words {
	return Words{
		URL: "the source's url", HTTPClientConfig: "the source's httpClientConfig", Reader: "Headstart",
		OrRaiseTimeout: ", or raise the source's timeout", OrRaiseConcurrency: ", or raise the source's concurrency",
	}
}

// setting is a part of a message that has the words of the source.
type setting int

const (
	theURL setting = iota
	theHTTPClientConfig
	theReader
	orRaiseTimeout
	orRaiseConcurrency
	orReach
)

// String returns the words of the configuration file.
func (s setting) String() string { return s.in(fileWords()) }

func (s setting) in(w Words) string {
	return [...]string{
		theURL: w.URL, theHTTPClientConfig: w.HTTPClientConfig, theReader: w.Reader,
		orRaiseTimeout: w.OrRaiseTimeout, orRaiseConcurrency: w.OrRaiseConcurrency, orReach: w.OrReach,
	}[s]
}
