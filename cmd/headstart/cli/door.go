package cli

import (
	"fmt"

	"github.com/spf13/pflag"

	"headstart.dev/headstart/scheduler/door"
)

// doorFlags say how the proposed autoscaler reads the Forecast.
type doorFlags struct{ door, kubernetes string }

// register adds the flags. byDefault says what is done without --door.
func (f *doorFlags) register(flags *pflag.FlagSet, byDefault string) {
	flags.StringVar(&f.door, "door", "",
		"`DOOR` by which the autoscaler reads the Forecast: external, object or keda (default "+byDefault+")")
	flags.StringVar(&f.kubernetes, "kubernetes", "",
		"`VERSION` of Kubernetes that the manifests are for, such as 1.31; before 1.33 an HPA with tolerance is refused")
}

// parse returns the door and the version; "" and 0 where they are not given.
func (f *doorFlags) parse() (d door.Door, k door.Kubernetes, err error) {
	if f.door != "" {
		if d, err = door.Parse(f.door); err != nil {
			return "", 0, fmt.Errorf("--door: %w", err)
		}
	}
	if f.kubernetes != "" {
		if k, err = door.ParseKubernetes(f.kubernetes); err != nil {
			return "", 0, fmt.Errorf("--kubernetes: %w", err)
		}
	}
	return d, k, nil
}
