package queues

import (
	"math"
	"math/rand/v2"
)

// A quantiles is a distribution by some of its quantiles, in order. Between two of them the
// logarithm is linear.
type quantiles []struct{ level, value float64 }

// Numbers of tokens in the Azure LLM inference traces of 2023 (Patel et al., Splitwise, ISCA 2024;
// https://github.com/Azure/AzurePublicDataset, CC-BY). These are quantiles of the published traces,
// 8,819 requests of a coding service and 19,366 of a conversation. No request is shipped here.
var (
	codePrompt = quantiles{
		{0, 10},
		{0.01, 17},
		{0.05, 75},
		{0.1, 147},
		{0.25, 578},
		{0.5, 1469},
		{0.75, 2745},
		{0.9, 5194},
		{0.95, 7315},
		{1, 7437},
	}
	codeAnswer = quantiles{
		{0, 5},
		{0.05, 6},
		{0.1, 7},
		{0.25, 9},
		{0.5, 13},
		{0.75, 24},
		{0.9, 55},
		{0.95, 90},
		{0.99, 252},
		{0.999, 831},
		{1, 1899},
	}
	chatPrompt = quantiles{
		{0, 10},
		{0.01, 29},
		{0.05, 181},
		{0.1, 207},
		{0.25, 396},
		{0.5, 1020},
		{0.75, 1189},
		{0.9, 2735},
		{0.95, 4083},
		{0.99, 4142},
		{0.999, 6212},
		{1, 14050},
	}
	chatAnswer = quantiles{
		{0, 8},
		{0.01, 16},
		{0.05, 41},
		{0.1, 54},
		{0.25, 85},
		{0.5, 129},
		{0.75, 395},
		{0.9, 424},
		{0.95, 451},
		{0.99, 601},
		{0.999, 954},
		{1, 1000},
	}
)

// table returns values at equal steps of the level, from which a random one is cheap to draw.
func (q quantiles) table() []float64 {
	const n = 4096
	values := make([]float64, n)
	at := 1
	for i := range values {
		level := (float64(i) + 0.5) / n
		for q[at].level < level {
			at++
		}
		low, high := q[at-1], q[at]
		part := (level - low.level) / (high.level - low.level)
		values[i] = math.Exp(math.Log(low.value) + part*math.Log(high.value/low.value))
	}
	return values
}

func draw(table []float64, r *rand.Rand) float64 { return table[r.IntN(len(table))] }
