package cli

import (
	"fmt"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"headstart.dev/headstart/scheduler/convert"
	"headstart.dev/headstart/scheduler/manifest"
)

func newConvertCommand(streams Streams) *cobra.Command {
	var options convert.Options
	cmd := &cobra.Command{
		Use:   "convert FILE...",
		Short: "Turn the timed scaling of other autoscalers into PeakSchedules, Forecasts and HPAs",
		Long: `Convert reads manifests of cronhpa's CronHorizontalPodAutoscaler, TKE's HorizontalPodCronscaler and CronHPA, KEDA's ScaledObject with
cron triggers, Crane's EffectiveHorizontalPodAutoscaler and Zalando's ScalingSchedule and ClusterScalingSchedule, and writes what
takes their place to standard output. Give the HorizontalPodAutoscalers that read or serve them in the same call. What could not
be carried over, and what to stop first, is named on standard error.`,
		Example: `  kubectl get scaledobjects,hpa -A -o yaml | headstart convert - > headstart.yaml
  headstart convert cronhpa.yaml --time-zone Asia/Shanghai`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return runConvert(streams, args, options) },
	}
	cmd.Flags().StringVar(&options.TimeZone, "time-zone", "", "zone of autoscalers that follow the clock of their machine (default that of each project)")
	return cmd
}

func runConvert(streams Streams, files []string, options convert.Options) error {
	var objects []manifest.Object
	for _, name := range files {
		found, err := readManifests(streams, name)
		if err != nil {
			return err
		}
		objects = append(objects, found...)
	}
	result, convertErr := convert.Convert(objects, options)
	for _, object := range result.Objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("cannot write a manifest: %w", err)
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
