// Package peers has the predictors of other autoscalers, made after what their documentation and
// their sources say. They see what is known before a step, and nothing else.
package peers
