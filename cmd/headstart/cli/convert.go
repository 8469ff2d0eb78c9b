package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/cmd/headstart/cli/internal/preflight"
	"headstart.dev/headstart/scheduler/convert"
	"headstart.dev/headstart/scheduler/manifest"
)

func newConvertCommand(streams Streams) *cobra.Command {
	var options convert.Options
	var doors doorFlags
	var cluster *clusterFlags
	cmd := &cobra.Command{
		Use:   "convert FILE...",
		Short: "Convert the timed scaling of other autoscalers to PeakSchedules, Forecasts and HPAs",
		Long: `Convert turns the timed scaling of other autoscalers into PeakSchedules, Forecasts and HPAs.

It reads these kinds:
  CronHorizontalPodAutoscaler                       cronhpa (Alibaba Cloud)
  HorizontalPodCronscaler, CronHPA                  TKE
  ScaledObject with cron triggers                   KEDA
  EffectiveHorizontalPodAutoscaler                  Crane
  ScalingSchedule, ClusterScalingSchedule           Zalando

Pass the HorizontalPodAutoscalers that belong to them in the same call. The new manifests go to
standard output. Notes go to standard error: what could not be converted, and what to stop before you
apply the result.

It needs no cluster. If a kubeconfig names one, and neither --door nor the kind of the input decides
how the new autoscaler reads the Forecast, convert asks that cluster which way is free. It waits for
three seconds at most.`,
		Example: `  headstart convert cronhpa.yaml
  headstart convert cronhpa.yaml --time-zone Asia/Shanghai
  kubectl get scaledobjects,hpa -A -o yaml | headstart convert - > headstart.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if options.Door, options.Kubernetes, err = doors.parse(); err != nil {
				return err
			}
			objects, err := readManifests(streams, args)
			if err != nil {
				return err
			}
			if options.Door == "" && convert.LeavesDoorOpen(objects) {
				if note := askCluster(cmd.Context(), cluster, &options); note != "" {
					fmt.Fprintln(streams.Err, "note: "+note)
				}
			}
			return runConvert(streams, objects, options)
		},
	}
	cluster = newNamespacedFlags(cmd.Flags())
	cmd.Flags().StringVar(&options.TimeZone, "time-zone", "",
		"IANA `ZONE` of schedules that follow the clock of their controller's machine (default the zone that each "+
			"project uses)")
	doors.register(cmd.Flags(), "the kind that is converted: a ScaledObject stays one; for all others the door that "+
		"the cluster has free, and without a cluster external")
	return cmd
}

// askCluster lets the cluster of the kubeconfig decide what the options leave open. It returns a note
// about that; "" where there is no kubeconfig. A cluster that does not answer changes nothing.
func askCluster(ctx context.Context, cluster *clusterFlags, options *convert.Options) string {
	raw, err := cluster.config.loader().RawConfig()
	if err == nil && cluster.config.overrides.CurrentContext == "" && raw.Contexts[raw.CurrentContext] == nil {
		return ""
	}
	var found preflight.Found
	config, err := cluster.config.restConfig()
	if err == nil {
		found, err = preflight.Ask(ctx, config)
	}
	if err != nil {
		return fmt.Sprintf("the cluster of the kubeconfig does not say which door is free: %v; "+
			"new HPAs get an External metric, and --door chooses another way", err)
	}
	options.Unasked = found.Door
	if options.Kubernetes == 0 {
		options.Kubernetes = found.Kubernetes
	}
	return fmt.Sprintf("in the cluster of the kubeconfig %s, so the door is %s; --door chooses another",
		found.Why, found.Door)
}

func runConvert(streams Streams, objects []manifest.Object, options convert.Options) error {
	options.Now = time.Now()
	result, convertErr := convert.Convert(objects, options)
	for _, object := range result.Objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("write a manifest: %w", err)
		}
		if _, err := fmt.Fprintf(streams.Out, "---\n%s", text); err != nil {
			return err
		}
	}
	for _, note := range result.Notes {
		fmt.Fprintf(streams.Err, "note: %s: %s\n", note.Object, note.Text)
	}
	return convertErr
}

// readManifests reads the objects of all files; "-" is standard input.
func readManifests(streams Streams, files []string) ([]manifest.Object, error) {
	var all []manifest.Object
	for _, name := range files {
		in, closeInput, err := openInput(streams, name)
		if err != nil {
			return nil, err
		}
		objects, err := manifest.Read(in)
		closeInput()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}
